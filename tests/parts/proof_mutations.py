"""Changes to proofs, policies and facts that nobody meant: bytes, fields, structures and swaps."""

from __future__ import annotations

import base64
import binascii
import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any

from anchor.errors import FormatError
from anchor.formats.der import parse_der, tlv

Path = tuple[Any, ...]

_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_INTEGERS = (0, 1, 2, 3, 60, 2**31, 2**32, 2**53 - 1, 2**53, -1, 10**20)
_TIMES = (
    "1970-01-01T00:00:00Z",
    "2020-01-01T00:00:12Z",
    "2026-06-01T00:00:00Z",
    "2026-11-23T10:02:08Z",
    "2026-11-23T10:02:09Z",
    "2026-11-24T00:00:00.5Z",
    "2036-01-01T00:00:00Z",
    "2500-01-01T00:00:00Z",
)


def mutated(question: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return a copy with one to three changes."""
    changed = copy.deepcopy(question)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        _change(changed, rng)
    if rng.random() < 0.06:
        part = rng.choice(["proof", "proof", "policy"])
        if part in changed and not isinstance(changed[part], bytes):
            changed[part] = mutated_bytes(json.dumps(changed[part]).encode(), rng)
    return changed


def _change(question: dict[str, Any], rng: random.Random) -> None:
    chance = rng.random()
    if chance < 0.04:
        question["now"] = rng.choice(_TIMES)
    elif chance < 0.10:
        question["before"] = rng.choice([None, *_TIMES])
    elif chance < 0.12:
        question["file_digest"] = rng.choice([None, "00" * 32])
    elif chance < 0.20:
        _change_document(question, "policy", rng)
    elif chance < 0.23 and question.get("known"):
        _change_leaf_of(question["known"], rng, only=str)
    elif "ots" in question:
        data = mutated_bytes(base64.b64decode(question["ots"]), rng)
        question["ots"] = base64.b64encode(data).decode()
    else:
        _change_document(question, "proof", rng)


def _change_document(question: dict[str, Any], name: str, rng: random.Random) -> None:
    """Change one value of a document, or its structure."""
    document = question[name]
    if isinstance(document, bytes):
        return
    paths = list(_paths(document))
    # Each attestation gets its turn, however few values it has.
    if name == "proof" and rng.random() < 0.8 and document.get("attestations"):
        place: Path = ("attestations", rng.randrange(len(document["attestations"])))
        paths = [path for path in paths if path[:2] == place] or paths
    if rng.random() < 0.85:
        paths = [p for p in paths if not isinstance(_at(document, p), dict | list)] or paths
    path = rng.choice(paths)
    value = _at(document, path)
    if isinstance(value, dict | list):
        _change_container(value, rng)
    elif path:
        parent = _at(document, path[:-1])
        parent[path[-1]] = _changed_leaf(value, document, rng)


def _change_leaf_of(document: Any, rng: random.Random, *, only: type) -> None:
    paths = [path for path in _paths(document) if type(_at(document, path)) is only]
    texts = [path for path in paths if _HEX.fullmatch(_at(document, path))]
    if texts:
        path = rng.choice(texts)
        text = _at(document, path)
        position = rng.randrange(len(text))
        digit = rng.choice("0123456789abcdef")
        _at(document, path[:-1])[path[-1]] = text[:position] + digit + text[position + 1 :]


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from _paths(value[name], (*path, name))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _paths(item, (*path, position))


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _change_container(value: Any, rng: random.Random) -> None:
    if isinstance(value, dict):
        name = rng.choice([*value, "strange"])
        what = rng.randrange(4)
        if what == 0:
            value.pop(name, None)
        elif what == 1:
            value[rng.choice(["strange", "note", "comment", "kind"])] = rng.choice([None, 1, "x"])
        else:
            value[name] = rng.choice([None, 0, 1, True, False, "", "00", [], {}, 2**53])
        return
    what = rng.randrange(5)
    if not value or what == 0:
        value.append(copy.deepcopy(rng.choice(value)) if value else rng.choice(["00", 1, {}]))
    elif what == 1:
        value.pop(rng.randrange(len(value)))
    elif what == 2:
        rng.shuffle(value)
    elif what == 3:
        value[rng.randrange(len(value))] = copy.deepcopy(rng.choice(value))
    else:
        del value[rng.randrange(len(value)) :]


def _changed_leaf(value: Any, document: Any, rng: random.Random) -> Any:
    if isinstance(value, bool) or value is None:
        return rng.choice([True, False, None, 0, "", "00" * 32])
    if isinstance(value, int):
        return rng.choice([value + 1, value - 1, 2 * value, value // 2, *_INTEGERS])
    if rng.random() < 0.1:
        others = [_at(document, path) for path in _paths(document)]
        return rng.choice([other for other in others if isinstance(other, str)])
    if len(value) >= 2 and _HEX.fullmatch(value):
        return _changed_hex(value, rng)
    if len(value) >= 32 and _BASE64.fullmatch(value):
        return _changed_base64(value, rng)
    return _changed_text(value, rng)


def _changed_hex(value: str, rng: random.Random) -> str:
    data = mutated_bytes(bytes.fromhex(value), rng, keep_length=rng.random() < 0.8)
    return rng.choice([data.hex()] * 9 + [data.hex().upper()])


def _changed_base64(value: str, rng: random.Random) -> str:
    try:
        data = base64.b64decode(value)
    except binascii.Error:
        return value
    if rng.random() < 0.6:
        data = mutated_der(data, rng)
    else:
        data = mutated_bytes(data, rng, keep_length=rng.random() < 0.6)
    return base64.b64encode(data).decode()


def _changed_text(value: str, rng: random.Random) -> str:
    what = rng.randrange(5)
    position = rng.randrange(len(value) + 1)
    if what == 0:
        return value[:position] + rng.choice("aA0 \n\t+—é\u00a0\ufeff\x7f\x85/=") + value[position:]
    if what == 1:
        return value[:position] + value[position + 1 :]
    lines = value.split("\n")
    line = rng.randrange(len(lines))
    if what == 2:
        lines.insert(line, lines[rng.randrange(len(lines))])
    elif what == 3:
        lines.pop(line)
    else:
        text = lines[line]
        at = rng.randrange(len(text) + 1)
        lines[line] = text[:at] + rng.choice("AZ09+/=") + text[at + 1 :]
    return "\n".join(lines)


def mutated_bytes(data: bytes, rng: random.Random, *, keep_length: bool = False) -> bytes:
    """Flip, set, take out, put in or repeat some bytes."""
    if not data:
        return data if keep_length else b"\x00"
    changed = bytearray(data)
    position = rng.randrange(len(changed))
    what = rng.randrange(3 if keep_length else 7)
    if what == 0:
        changed[position] ^= 1 << rng.randrange(8)
    elif what == 1:
        changed[position] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
    elif what == 2:
        end = min(len(changed), position + rng.randrange(1, 5))
        changed[position:end] = rng.randbytes(end - position)
    elif what == 3:
        del changed[position : position + rng.randrange(1, 5)]
    elif what == 4:
        changed[position:position] = rng.randbytes(rng.randrange(1, 5))
    elif what == 5:
        del changed[position:]
    else:
        end = position + rng.randrange(1, 40)
        changed[end:end] = changed[position:end]
    return bytes(changed)


def mutated_der(data: bytes, rng: random.Random) -> bytes:
    """Change one element of DER and write the lengths around it anew, so that it still parses."""
    try:
        root = der_tree(data)
    except FormatError:
        return mutated_bytes(data, rng)
    nodes = list(_walk(root))
    node = rng.choice(nodes)
    if isinstance(node.content, list):
        _change_members(node, nodes, rng)
    else:
        node.content = mutated_bytes(node.content, rng, keep_length=rng.random() < 0.7)
    if rng.random() < 0.1:
        node.tag = rng.choice([0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x18, 0x30, 0x31, 0xA0, 0x80])
    return der_bytes(root)


class DerNode:
    """One DER element, its content parsed where that is DER again."""

    def __init__(self, tag: int, content: bytes | list[DerNode]) -> None:
        self.tag = tag
        self.content = content


def der_tree(data: bytes) -> DerNode:
    element = parse_der(data, max_bytes=1 << 21, what="mutation")
    return _node(element.tag, element.content)


def _node(tag: int, content: bytes) -> DerNode:
    if tag & 0x20 or (tag == 0x04 and content[:1] == b"\x30"):
        try:
            return DerNode(tag, _members(content))
        except FormatError:
            pass
    return DerNode(tag, content)


def _members(content: bytes) -> list[DerNode]:
    wrapped = parse_der(tlv(0x30, content), max_bytes=1 << 21, what="mutation")
    return [_node(e.tag, e.content) for e in wrapped.members(0x30, "mutation").rest()]


def _walk(node: DerNode) -> Iterator[DerNode]:
    yield node
    if isinstance(node.content, list):
        for member in node.content:
            yield from _walk(member)


def _change_members(node: DerNode, nodes: list[DerNode], rng: random.Random) -> None:
    members = node.content
    assert isinstance(members, list)
    what = rng.randrange(4)
    if what == 0 and members:
        members.pop(rng.randrange(len(members)))
    elif what == 1 and members:
        members.append(copy.deepcopy(rng.choice(members)))
    elif what == 2:
        rng.shuffle(members)
    else:
        leaves = [each for each in nodes if not isinstance(each.content, list)]
        if leaves:
            members.insert(rng.randrange(len(members) + 1), copy.deepcopy(rng.choice(leaves)))


def der_bytes(node: DerNode) -> bytes:
    """Write an element."""
    if isinstance(node.content, bytes):
        return tlv(node.tag, node.content)
    return tlv(node.tag, b"".join(map(der_bytes, node.content)))

"""Publishes rounds on an IPFS node: everything that is needed to build the log again, by content.

The way of a round: the tiles that it adds are put as raw blocks, their CIDs gathered in tile lists;
the attestation files are put; the manifest is put and pinned with all it links to; its CID is what
the round is known by. When one more backend is final, the manifest is made anew over the same
tiles.

Rules:

* After each tile list the journal remembers it: a publication that was interrupted goes on there.
  If pinning fails, blocks may be missing on the node, and the round starts over.
* The history is a chain of manifests; what is published later for earlier rounds is named in the
  next manifest of the chain (``also``).
* The newest CID is also written into the node's own tree of files, so that it is found when this
  machine is gone; that is a hint, and its failure stops nothing.

What this deliberately does not do: announce, replicate, or pay anybody to keep the blocks.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from anchor import limits
from anchor.backends.address import shown_address
from anchor.backends.ipfs_manifest import (
    TILES_IN_LIST,
    RoundManifest,
    added_tiles,
    parse_manifest,
    partial_tiles,
    serialize_tile_list,
)
from anchor.backends.ipfs_node import MAX_BLOCK_BYTES, IpfsNode
from anchor.errors import (
    BackendError,
    BackendProtocolError,
    BackendUnavailableError,
    FormatError,
)
from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.cid import DAG_JSON, Cid, parse_cid
from anchor.formats.encoding import utc_text
from anchor.formats.note import parse_note
from anchor.formats.tiles import TilePath
from anchor.ports import Attempt, Health, Journal, Json, Round

_MAX_ALSO: Final = 256
_MAX_HEAD_BYTES: Final = 100
_HEAD_KEY: Final = "head"
_ALSO_KEY: Final = "also"


class TileSource(Protocol):
    """What of :class:`anchor.ports.LogStore` is published."""

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Return ``width`` hashes of a tile."""

    def read_entries(self, index: int, width: int) -> bytes:
        """Return an entry bundle."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a round stands in the chain of manifests; fixed once its first tile is put."""

    previous: Cid | None
    previous_size: int
    within: Cid | None

    def tiles(self, tree_size: int) -> Iterator[TilePath]:
        if self.within is not None:
            return partial_tiles(tree_size)
        return added_tiles(self.previous_size, tree_size)


def head_path(origin: str) -> str:
    """Return where the node keeps the CID of a log's newest manifest."""
    return f"/vestige/{hashlib.sha256(origin.encode()).hexdigest()}/head"


def fetch_head(node: IpfsNode, origin: str) -> Cid | None:
    """Return the CID that the node keeps as a log's newest manifest, or None; a hint, no more.

    Raises:
        BackendUnavailableError: the node does not answer.
        BackendProtocolError: what it keeps there is no CID.
    """
    data = node.read_file(head_path(origin), max_bytes=_MAX_HEAD_BYTES)
    if data is None:
        return None
    try:
        return parse_cid(data.decode("latin-1"))
    except FormatError as exc:
        raise BackendProtocolError(f"the node's pointer is no CID: {exc.message}") from exc


class IpfsPublisher:
    """Implements :class:`anchor.ports.RoundPublisher`; used by one thread.

    Args:
        node: where to.
        log: the tiles.
        journal: what was put already.
        now: the current time, aware UTC; only shown.
    """

    name = "ipfs"

    def __init__(
        self,
        node: IpfsNode,
        log: TileSource,
        journal: Journal,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._node = node
        self._log = log
        self._journal = journal
        self._now = now
        self._health = Health(
            ok=True, note="nothing published yet", detail={"url": shown_address(node.url)}
        )

    def publish(self, round_: Round, attempts: Mapping[str, Attempt]) -> Json:
        """Publish the round with these attestations; return ``cid``, ``tree_size``, ``tiles``.

        Raises:
            BackendUnavailableError, BackendRejectedError, BackendProtocolError: see
                :class:`anchor.backends.ipfs_node.IpfsNode`; a later call goes on from there.
        """
        try:
            described = self._publish(round_, attempts)
        except BackendError as exc:
            self._note(ok=False, note=exc.message)
            raise
        return described

    def health(self) -> Health:
        """Return what the last publication came to."""
        return self._health

    def fetch_checkpoint(self, origin: str) -> str | None:
        """Return the newest published checkpoint of a log, or None if the node knows of none.

        The text is as it was published, its signature not verified.

        Raises:
            BackendUnavailableError, BackendProtocolError: the node, or what it points to.
        """
        head = fetch_head(self._node, origin)
        if head is None:
            return None
        try:
            return parse_manifest(self._node.get_block(head)).checkpoint
        except FormatError as exc:
            raise BackendProtocolError(f"{head.text} is no manifest: {exc.message}") from exc

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        self._node.close()

    def _publish(self, round_: Round, attempts: Mapping[str, Attempt]) -> Json:
        state = self._state(round_.tree_size)
        place = _place(state)
        lists = self._put_tiles(round_.tree_size, place, state)
        files = {name: self._put_file(name, a) for name, a in sorted(attempts.items())}
        is_new = place.within is None and not state.get("cid")
        also = self._also() if is_new else state.get("also", [])
        manifest = RoundManifest(
            round_.tree_size,
            round_.checkpoint,
            tuple(lists),
            files,
            place.previous,
            tuple(parse_cid(text) for text in also),
            place.within,
        )
        block = manifest.serialize()
        if len(block) > MAX_BLOCK_BYTES:
            raise BackendProtocolError(
                f"the manifest of round {round_.tree_size} takes {len(block)} bytes, at most "
                f"{MAX_BLOCK_BYTES} fit into a block",
                code="backend.protocol.manifest_size",
            )
        cid = self._node.put_block(block, DAG_JSON)
        self._pin(cid, round_.tree_size, state)
        self._remember(round_.tree_size, cid, {**state, "also": also}, is_new=is_new)
        self._note(ok=True, note="", cid=cid)
        self._point_to_head(round_)
        return {"cid": cid.text, "tree_size": round_.tree_size, "tiles": state["tiles"]}

    # -- the chain ---------------------------------------------------------------------------------

    def _state(self, tree_size: int) -> dict[str, Any]:
        """Return what is stored of this round, if it still has its place in the chain."""
        state = self._journal.get(f"round:{tree_size}")
        if state is not None and (state.get("cid") or self._still_follows(state, tree_size)):
            return state
        head = self._journal.get(_HEAD_KEY)
        behind = head is not None and head["tree_size"] > tree_size
        return {
            "previous": None if head is None or behind else head["cid"],
            "previous_size": 0 if head is None or behind else head["tree_size"],
            "within": head["cid"] if head is not None and behind else None,
            "lists": [],
            "tiles": 0,
        }

    def _still_follows(self, state: Mapping[str, Any], tree_size: int) -> bool:
        """Say whether nobody else came between this round and the one before it."""
        head = self._journal.get(_HEAD_KEY)
        if head is None:
            return state["previous"] is None and state["within"] is None
        before: str | None = state["previous"] or state["within"]
        return bool(head["tree_size"] == tree_size or head["cid"] == before)

    def _remember(self, tree_size: int, cid: Cid, state: dict[str, Any], *, is_new: bool) -> None:
        """Store the result: the head first, so that no round that counts as done is missing."""
        head = self._journal.get(_HEAD_KEY)
        is_head = is_new or (head is not None and head["tree_size"] == tree_size)
        if is_head:
            self._journal.put(_HEAD_KEY, {"tree_size": tree_size, "cid": cid.text})
        waiting = self._also()
        if is_new:
            left = [text for text in waiting if text not in state["also"]]
        elif is_head or cid.text in waiting:
            left = waiting
        else:
            left = [*(text for text in waiting if text != state.get("cid")), cid.text]
        if not is_new and left != waiting:
            self._journal.put(_ALSO_KEY, {"cids": left[-_MAX_ALSO:]})
        self._journal.put(f"round:{tree_size}", {**state, "cid": cid.text})
        if is_new and left != waiting:
            self._journal.put(_ALSO_KEY, {"cids": left})

    def _also(self) -> list[str]:
        """Return the manifests that the next round of the chain has to name."""
        stored = self._journal.get(_ALSO_KEY) or {}
        return list(stored.get("cids", ()))

    # -- tiles -------------------------------------------------------------------------------------

    def _put_tiles(self, tree_size: int, place: _Place, state: dict[str, Any]) -> list[Cid]:
        """Put the tiles that are not put yet; each list that is complete is remembered."""
        lists = [parse_cid(text) for text in state["lists"]]
        paths = itertools.islice(place.tiles(tree_size), state["tiles"], None)
        while batch := list(itertools.islice(paths, TILES_IN_LIST)):
            tiles = [(path, self._node.put_block(self._read(path))) for path in batch]
            cid = self._node.put_block(serialize_tile_list(tiles), DAG_JSON)
            lists.append(cid)
            state["lists"] = [item.text for item in lists]
            state["tiles"] += len(batch)
            if len(batch) == TILES_IN_LIST:
                # What is not pinned may be collected while the rest is still being put.
                self._pin(cid, tree_size, state)
            self._journal.put(f"round:{tree_size}", state)
        return lists

    def _read(self, path: TilePath) -> bytes:
        if path.level is None:
            return self._log.read_entries(path.index, path.width)
        return self._log.read_tile(path.level, path.index, path.width)

    def _pin(self, cid: Cid, tree_size: int, state: dict[str, Any]) -> None:
        try:
            self._node.pin(cid)
        except BackendUnavailableError:
            # Perhaps the node has lost a block since it was put: put everything again.
            self._journal.put(f"round:{tree_size}", {**state, "lists": [], "tiles": 0})
            raise

    # -- attestations ------------------------------------------------------------------------------

    def _put_file(self, name: str, attempt: Attempt) -> tuple[Cid, ...]:
        """Put one backend's attestation file, cut where a block would be too large."""
        value = {"backend": name, "attestations": list(attempt.attestations)}
        data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        if len(data) > limits.MAX_PROOF_BYTES:
            raise BackendProtocolError(
                f"the attestations of {name} take {len(data)} bytes, at most "
                f"{limits.MAX_PROOF_BYTES} are published",
                code="backend.protocol.attestation_size",
            )
        parts = range(0, len(data), MAX_BLOCK_BYTES)
        return tuple(self._node.put_block(data[start : start + MAX_BLOCK_BYTES]) for start in parts)

    # -- what is shown -----------------------------------------------------------------------------

    def _point_to_head(self, round_: Round) -> None:
        head = self._journal.get(_HEAD_KEY)
        if head is None:
            return
        origin = parse_checkpoint(parse_note(round_.checkpoint).text).origin
        try:
            self._node.write_file(head_path(origin), head["cid"].encode())
        except BackendError as exc:
            self._note(ok=True, note=f"the pointer to the newest round is not kept: {exc.message}")

    def _note(self, *, ok: bool, note: str, cid: Cid | None = None) -> None:
        detail: dict[str, Any] = dict(self._health.detail)
        if cid is not None:
            published_at = utc_text(self._now().replace(microsecond=0))
            detail.update(cid=cid.text, published_at=published_at)
        self._health = Health(ok=ok, note=note, detail=detail)


def _place(state: Mapping[str, Any]) -> _Place:
    previous, within = state["previous"], state["within"]
    return _Place(
        parse_cid(previous) if previous else None,
        state["previous_size"],
        parse_cid(within) if within else None,
    )

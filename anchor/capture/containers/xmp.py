"""Read the properties of an XMP packet: each with its namespace, as an element or an attribute.

Specification: ISO 16684-1 (XMP), section 7 (RDF/XML serialisation), as far as simple properties,
arrays and structures go: each leaf text is a property of its nearest element that is not RDF's own.

A document type declaration ends the reading before anything in it is looked at, so there are no
entities to expand and nothing outside to fetch; XMP has neither.
"""

from __future__ import annotations

from typing import Any, Final
from xml.parsers import expat

from anchor.capture.findings import Findings
from anchor.errors import FormatError, LimitExceededError
from anchor.limits import MAX_XMP_DEPTH, MAX_XMP_ELEMENTS, MAX_XMP_PROPERTIES

_SEPARATOR: Final = "\n"  # in no namespace and in no name
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PREFIXES: Final = {
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/xmp/note/": "xmpNote",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://www.tc260.org.cn/ns/AIGC/1.0/": "TC260",
}
_IGNORED: Final = frozenset(("adobe:ns:meta/", "http://www.w3.org/XML/1998/namespace", _RDF, ""))


def read_xmp(data: bytes, found: Findings, location: str) -> None:
    """Add the properties of a packet, under ``xmp.``, prefix and name.

    Namespaces that are known here get their usual prefix, whatever the packet calls them; others
    are written out.

    Raises:
        FormatError: the packet is not well-formed, not UTF-8, or more than a packet may be. What
            was read up to there is kept.
    """
    try:
        text = data.decode().lstrip("\ufeff").strip("\0 \t\r\n")
    except UnicodeDecodeError as error:
        raise FormatError(f"{location}: the XMP packet is not UTF-8", code="capture.xmp") from error
    reader = _Reader(found, location)
    # Parsing str sets the encoding, so that a declaration in the packet has no say in it.
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    parser.buffer_size = 1 << 16
    parser.StartDoctypeDeclHandler = reader.refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        parser.Parse(text, True)  # noqa: FBT003 - positional only
    except expat.ExpatError as error:
        raise FormatError(
            f"{location}: the XMP packet is not well-formed", code="capture.xmp"
        ) from error


class _Reader:
    def __init__(self, found: Findings, location: str) -> None:
        self.found = found
        self.location = location
        self._names: list[str] = []
        self._texts: list[list[str]] = []
        self._has_children: list[bool] = []
        self._n_elements = 0
        self._n_properties = 0

    def refuse_doctype(self, *_: Any) -> None:
        raise FormatError(
            f"{self.location}: a document type declaration, which XMP does not have",
            code="capture.xmp",
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._n_elements += 1
        if self._n_elements > MAX_XMP_ELEMENTS:
            raise LimitExceededError(f"{self.location}: more than {MAX_XMP_ELEMENTS} elements")
        if len(self._names) >= MAX_XMP_DEPTH:
            raise LimitExceededError(f"{self.location}: nested more than {MAX_XMP_DEPTH} deep")
        if self._has_children:
            self._has_children[-1] = True
        self._names.append(name)
        self._texts.append([])
        self._has_children.append(False)
        for attribute, value in attributes.items():
            self._add(attribute, value)

    def end(self, _name: str) -> None:
        text = "".join(self._texts.pop())
        name = self._names.pop()
        if self._has_children.pop() or not text.strip():
            return
        if _split(name)[0] in _IGNORED:
            name = next((n for n in reversed(self._names) if _split(n)[0] not in _IGNORED), "")
        self._add(name, text)

    def characters(self, text: str) -> None:
        if self._texts:
            self._texts[-1].append(text)

    def _add(self, name: str, value: str) -> None:
        namespace, local = _split(name)
        if namespace in _IGNORED:
            return
        self._n_properties += 1
        if self._n_properties > MAX_XMP_PROPERTIES:
            raise LimitExceededError(f"{self.location}: more than {MAX_XMP_PROPERTIES} properties")
        prefix = _PREFIXES.get(namespace, f"{{{namespace}}}")
        self.found.add_text(f"xmp.{prefix}:{local}", value, self.location)


def _split(name: str) -> tuple[str, str]:
    namespace, separator, local = name.rpartition(_SEPARATOR)
    return (namespace, local) if separator else ("", name)

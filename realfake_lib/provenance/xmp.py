"""What an XMP packet says: the IPTC's digital source type, China's AIGC label, the program."""

from xml.parsers import expat

from realfake_lib.provenance import generators
from realfake_lib.provenance.statement import Statement, short, source_type

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns# "
_DESCRIPTION = [f"{_RDF}RDF", f"{_RDF}Description"]
_SOURCE_TYPE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/ DigitalSourceType"
_LABEL = "http://www.tc260.org.cn/ns/AIGC/1.0/ AIGC"
_PROGRAMS = {
    "http://ns.adobe.com/xap/1.0/ CreatorTool": "CreatorTool",
    "http://ns.adobe.com/tiff/1.0/ Software": "Software",
    "http://ns.adobe.com/tiff/1.0/ Make": "Make",
}
_MAX_TEXT, _MAX_DEPTH = 4096, 100  # characters of a property's value, elements in elements


def from_packet(data):
    """Statements of an XMP packet, as bytes."""
    properties = _properties(data.strip(b"\0 \r\n"))
    found = []
    if term := source_type(properties.get(_SOURCE_TYPE, "")):
        found.append(Statement("XMP", term[1], f"DigitalSourceType {term[0]}"))
    label = generators.json_object(properties.get(_LABEL, "")).get("Label")
    if label is not None:  # 1: made by AI; 2 and 3: possibly, suspected
        kind = "ai" if str(label) == "1" else "other"
        found.append(Statement("XMP", kind, f"AIGC label {short(label)}"))
    for name, field in _PROGRAMS.items():
        found += generators.from_software(field, properties.get(name, ""))
    return found


def _properties(packet):
    """Values of the image's own simple properties, by namespace and name.

    A description may be of another image by its address, or lie within another's property.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    wanted = {_SOURCE_TYPE, _LABEL, *_PROGRAMS}
    path, found, of_image = [], {}, False

    def take(name, text):
        if name in wanted and len(found.get(name, "")) < _MAX_TEXT:
            found[name] = found.get(name, "") + text[:_MAX_TEXT]

    def start(name, attributes):
        nonlocal of_image
        path.append(name)
        if len(path) > _MAX_DEPTH:
            raise ValueError("no XMP is nested so deeply")
        if _is_outer(path):
            of_image = "://" not in attributes.get(f"{_RDF}about", "")
            for attribute, text in attributes.items() if of_image else ():
                take(attribute, text)
        elif of_image and _is_outer(path[:-1]):
            take(name, attributes.get(f"{_RDF}resource", ""))

    def inside(text):
        if of_image and _is_outer(path[:-1]):
            take(path[-1], text)

    def refuse(*_):
        raise ValueError("entities of a document type may expand to any size; XMP has none")

    parser.StartElementHandler, parser.CharacterDataHandler = start, inside
    parser.EndElementHandler = lambda _: path.pop()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(packet, True)
    return found


def _is_outer(path):
    """Whether elements lead to a description of the packet itself, at most in an xmpmeta."""
    return path[-2:] == _DESCRIPTION and len(path) <= 3

"""An XML reader for untrusted files that records line numbers: elements and attributes, nothing else.

It uses the standard library's expat. It refuses any DOCTYPE before an entity can be declared, so that no text expands
without bound and nothing outside the file is looked up. That leaves defusedxml nothing to add, and expat reports
lines, which the trees of defusedxml lack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from scenarios.reading.yaml import ScenarioError

LARGEST = 64 * 2**20  # [bytes]; the 90 training routes of the CARLA Leaderboard 2.0 are a hundredth of it
DEEPEST = 32  # elements within each other; route files have five


@dataclass(frozen=True)
class Element:
    """An element of an XML file: its name, attributes and children, and the line on which it begins."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)

    def named(self, *tags: str) -> Iterator[Element]:
        """The children of these names, in the file's order."""
        return (child for child in self.children if child.tag in tags)


def read_xml(path: Path, where: str) -> Element:
    """Read an XML file and return its outermost element.

    Args:
        where: the file's name for messages.

    Raises:
        ScenarioError: for a file that cannot be read, malformed XML, a DOCTYPE, or more than LARGEST or DEEPEST.
    """
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise ScenarioError(f"{where}: has {size} bytes; wanted {LARGEST} at most")
        data = path.read_bytes()
    except OSError as error:
        raise ScenarioError(f"{where}: cannot be read: {error.strerror}") from None
    parser, top = expat.ParserCreate(), Element("", {}, 0)
    open_: list[Element] = [top]

    def begin(tag: str, attributes: dict[str, str]) -> None:
        if len(open_) > DEEPEST:
            line = parser.CurrentLineNumber
            raise ScenarioError(f"{where}:{line}: elements lie deeper than {DEEPEST} within each other")
        element = Element(tag, attributes, parser.CurrentLineNumber)
        open_[-1].children.append(element)
        open_.append(element)

    def doctype(*declared: object) -> None:
        line = parser.CurrentLineNumber
        raise ScenarioError(f"{where}:{line}: found a DOCTYPE; wanted elements alone, as it could declare anything")

    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda tag: open_.pop()
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ScenarioError(f"{where}:{error.lineno}: malformed XML: {expat.ErrorString(error.code)}") from None
    except (ValueError, LookupError) as error:
        if isinstance(error, ScenarioError):
            raise
        raise ScenarioError(f"{where}:1: malformed XML: {error}") from None  # an unknown encoding
    return top.children[0]

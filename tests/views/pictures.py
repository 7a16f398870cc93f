"""Pictures are XML; this counts what is in one. And texts to compare with."""

from pathlib import Path
from xml.parsers import expat

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> str:
    """Return the text that was looked at and found right."""
    return (GOLDEN / f"{name}.txt").read_text().removesuffix("\n")


def elements(text: str) -> dict[str, int]:
    """Parse a picture; count its elements by name."""
    found: dict[str, int] = {}

    def start(name: str, _: object) -> None:
        found[name] = found.get(name, 0) + 1

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.Parse(text, True)  # noqa: FBT003 -- expat's argument
    return found

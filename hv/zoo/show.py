"""A bug as a person reads it: its story, and what it changes."""

import difflib

from hv.zoo.builder import changed, sources
from hv.zoo.catalogue import Basis, Bug, Wheat

BASIS = {
    Basis.ADVISORY: "an advisory describes it",
    Basis.COMMIT: "a commit repairs it",
    Basis.PAPER: "a paper describes it",
    Basis.ANALOGUE: "an analogue: alike, not the same",
    Basis.CLASS: "a class of mistakes",
    Basis.MEMORY: "from memory: the record was not looked up",
}
VIOLATES = {
    "C": "confidentiality",
    "I": "integrity",
    "U": "the state of a processor",
    "F": "fairness",
    "A": "availability",
    "X": "the host itself",
    "R": "resources",
}


def violates(bug: Bug) -> str:
    """Return what the bug hurts, in words."""
    return ", ".join(VIOLATES[letter] for letter in bug.violates)


def diff(it: Bug | Wheat) -> str:
    """Return what the record changes, as a unified diff of csrc.

    :raises BuildError: the source has moved on.
    """
    good, bad = sources(), changed(it.id, it.edits)
    lines: list[str] = []
    for file in dict.fromkeys(edit.file for edit in it.edits):
        lines += difflib.unified_diff(
            good[file].splitlines(keepends=True),
            bad[file].splitlines(keepends=True),
            f"csrc/{file}",
            f"csrc/{file}",
        )
    return "".join(lines)

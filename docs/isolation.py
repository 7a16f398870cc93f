"""A Sphinx extension: the table of properties, from what the tests have.

Before the book is read, it writes into ``_generated/`` the properties with what
looks at each, and how many planted bugs stand against each of them.
"""

import tomllib
from collections import Counter
from pathlib import Path

from sphinx.application import Sphinx

from docs.measured import write
from hv import zoo
from hv.properties import properties

TESTS = Path(__file__).resolve().parent.parent / "tests"
GROUPS = {
    "partition": "Whose memory is whose",
    "translation": "What an address leads to",
    "cpu": "What a processor does",
    "flow": "Who learns what",
    "time": "Who runs, and what it costs",
    "channels": "Channels, devices, and being stopped and started",
}


def planted() -> Counter[str]:
    """Return how many planted bugs break each property."""
    count = Counter(bug.property for bug in zoo.records())
    for path in sorted(TESTS.glob("*/planted*.toml")):
        for bug in tomllib.loads(path.read_text()).get("bug", []):
            if "zoo" not in bug:
                count.update(str(bug.get("property", "")).split())
    return count


def table(group: str, bugs: Counter[str]) -> list[str]:
    """Return the rows of one group."""
    lines = ["| | property | seen by | planted |", "|---|---|---|---:|"]
    for one in properties():
        if one.group == group:
            seen = ", ".join(one.seen_by) if one.checked else "*later*"
            lines.append(
                f"| **{one.id}** | *{one.name}*: {one.says} | {seen} |"
                f" {bugs[one.id] or ''} |"
            )
    return lines


def make_tables(app: Sphinx) -> None:
    """Write the tables."""
    del app
    bugs = planted()
    lines: list[str] = []
    for group, title in GROUPS.items():
        lines += [f"### {title}", "", *table(group, bugs), ""]
    write("properties.md", "\n".join(lines))


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx call it before it reads a page."""
    app.connect("builder-inited", make_tables)
    return {"parallel_read_safe": True}

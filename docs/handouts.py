"""A Sphinx extension: the labs' handouts, as one page of the book.

A lab is a folder of ``labs/``; a new one is in the book without a word here.
Before the book is read, ``_generated/handouts.md`` is written from all of them.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

from hv.labs.cut import student_lines
from hv.labs.spec import Folder, labs

OUT = Path(__file__).resolve().parent / "_generated"


def page(folder: Folder) -> str:
    """Return a handout with its headings one level down, and its goals."""
    lab = folder.lab
    text = re.sub(r"^#", "##", folder.handout.read_text(), flags=re.MULTILINE)
    title, _, rest = text.partition("\n")
    goals = "\n".join(f"- {goal}" for goal in lab.goals)
    size = f"About {lab.minutes // 60} hours, {student_lines(folder)} lines."
    return f"{title}\n\n{goals}\n\n{size}\n{rest}"


def generate(app: Sphinx) -> None:
    """Write the page's text."""
    del app
    OUT.mkdir(exist_ok=True)
    text = "\n".join(page(folder) for folder in labs())
    (OUT / "handouts.md").write_text(text)


def setup(app: Sphinx) -> dict[str, object]:
    """Tell Sphinx."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}

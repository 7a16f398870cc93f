"""A Sphinx extension: the solutions of the exercises, for instructors alone.

Each chapter includes ``solutions/CHAPTER.md``, which holds a directive for each
of its exercises::

    :::{solution} 3
    Because ...
    :::

In a build with the tag ``instructors`` (``make docs-instructors``) it is shown
as a box. In any other it leaves nothing: no text, no word in the search index.
The code in solutions is executed like that of the chapters.
"""

from collections.abc import Sequence
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

TAG = "instructors"


class Hidden(SphinxDirective):
    """A solution in the students' book: nothing."""

    has_content = True
    required_arguments = 1
    option_spec: ClassVar[dict[str, object]] = {}

    def run(self) -> Sequence[nodes.Node]:
        """Return no nodes."""
        return []


class Shown(Hidden):
    """A solution in the instructors' book: a box with a title."""

    def run(self) -> Sequence[nodes.Node]:
        """Return the box."""
        box = nodes.admonition(classes=["solution"])
        title = f"Solution of exercise {self.arguments[0]}"
        box += nodes.title(title, title)
        self.state.nested_parse(self.content, self.content_offset, box)
        return [box]


def setup(app: Sphinx) -> dict[str, object]:
    """Tell Sphinx which of the two it is."""
    shown = app.tags.has(TAG)
    app.add_directive("solution", Shown if shown else Hidden)
    return {"parallel_read_safe": True}

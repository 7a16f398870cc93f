"""Students' and instructors' books, of a chapter as small as one can be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs.solved import TAG
from tools import check_book
from tools.check_floors import ROOT

CHAPTER = """\
# A chapter

## Exercises

1. Why?

```{include} solutions/chapter.md
```
"""
SOLUTIONS = """\
:::{solution} 1
Because seventeenfold is a word.

```python
assert "executed, and shown"
```
:::
"""
CONF = """\
extensions = ["myst_parser", "docs.solved"]
myst_enable_extensions = ["colon_fence"]
exclude_patterns = ["solutions"]
"""


def build(place: Path, *tags: str) -> Path:
    """Build a book; return where its pages are."""
    source = place / "source"
    (source / "solutions").mkdir(parents=True)
    (source / "conf.py").write_text(CONF)
    (source / "index.md").write_text(CHAPTER)
    (source / "solutions/chapter.md").write_text(SOLUTIONS)
    subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-n", "-W"),
            *(argument for tag in tags for argument in ("-t", tag)),
            *("-d", place / "doctrees", source, place / "html"),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    return place / "html"


@pytest.mark.parametrize("wanted", [False, True], ids=["students", TAG])
def test_only_instructors_have_the_solutions(
    tmp_path: Path, *, wanted: bool
) -> None:
    html = build(tmp_path, *[TAG][:wanted])
    everything = "".join(
        path.read_text(errors="replace")
        for path in html.rglob("*")
        if path.suffix in {".html", ".js", ".txt", ".md"}
    )
    assert ("seventeenfold" in everything) is wanted
    assert ("Solution of exercise 1" in everything) is wanted
    found = list(check_book.solutions(html, [SOLUTIONS]))
    assert bool(found) is wanted

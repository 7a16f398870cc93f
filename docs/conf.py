"""How Sphinx builds the book: `make docs`."""

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent.parent))  # for measured.py

_pyproject = Path(__file__).parent.parent / "pyproject.toml"
_config = tomllib.loads(_pyproject.read_text(encoding="utf-8"))

project = "hv"
author = "the hv authors"
copyright = f"2026, {author}"  # noqa: A001 (Sphinx's name)
release = _config["project"]["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "docs.consolidation",
    "docs.fuzzing",
    "docs.handouts",
    "docs.harts",
    "docs.isolation",
    "docs.image_fields",
    "docs.measured",
    "docs.museum_pages",
    "docs.pictures",
    "docs.policies",
    "docs.solved",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_generated", "data", "solutions"]

# A reference that leads nowhere stops the build (with -n -W). Python's own
# types are no pages of ours, and the book must build without a network.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(typing|collections|pathlib|enum|types)\..*"),
    ("py:class", r"int|str|bytes|bool|float|None|Path|Iterator|Self"),
    ("py:class", r"(os|re|socket)\..*"),
    # What the API's page leaves out, since nobody has to name it.
    ("py:class", r"hv\.host\.Host(Config)?"),
    ("py:class", r"hv\.(guest\.Kept|console\.Runner|spec\..*)"),
    ("py:class", r"hv\.facts\.Guest(Virt|Phys)"),
]
autodoc_member_order = "bysource"
autodoc_typehints = "description"

myst_enable_extensions = [
    "attrs_inline",
    "colon_fence",
    "deflist",
    "substitution",
]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "hv"
html_static_path = ["_static"]
html_copy_source = False

# XeLaTeX, since pdfLaTeX has no letters but Latin ones.
latex_engine = "xelatex"
latex_use_xindy = False  # makeindex comes with every LaTeX
latex_documents = [("index", "hv.tex", "hv", author, "manual")]
latex_show_urls = "footnote"
latex_elements = {"extraclassoptions": "openany,oneside"}

# Copy what a person types, not the prompt and not the answer.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True


def make_figures(app: "Sphinx") -> None:
    """Run what the chapter on comparing shows, into ``_generated/``."""
    import hv  # noqa: PLC0415 -- only a build needs it
    from hv.host import scaled_costs  # noqa: PLC0415

    folder = Path(app.srcdir) / "_generated"
    folder.mkdir(exist_ok=True)
    reports = {
        factor: hv.compare(engine="fast", costs=scaled_costs(factor))
        for factor in (0.5, 1.0, 2.0)
    }
    for report in reports.values():
        report.check()
    (folder / "compare.txt").write_text(f"{reports[1.0].text}\n")
    (folder / "compare.svg").write_text(reports[1.0].svg)
    (folder / "compare-costs.txt").write_text(
        "".join(
            f"costs x {factor:g}\n{report.ratios}\n\n"
            for factor, report in reports.items()
        )
    )


def setup(app: "Sphinx") -> None:
    """Let Sphinx call what this book needs before it reads a page."""
    app.connect("builder-inited", make_figures)
    if app.tags.has("pdf"):
        app.setup_extension("sphinx.ext.imgconverter")

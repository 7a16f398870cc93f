"""Look at the pages of a built book: links, what they load, and secrets.

::

    python tools/check_book.py build/docs

- A link to another page, or to a place in one, leads somewhere.
- A page is read offline: no style sheet, script, image or font of it comes from
  elsewhere, and none of its style sheets loads any.
- A phone can read it: it says that its width is that of the screen.
- No page, and not the search index, has a solution of an exercise
  (``--instructors``: the page of each chapter has all of its own).
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = ROOT / "docs/solutions"
# What a browser fetches by itself. A canonical address is not fetched.
LOADED = {
    **dict.fromkeys(("script", "img", "iframe", "source", "video"), "src"),
    **dict.fromkeys(("audio", "embed", "track"), "src"),
    "object": "data",
}
FETCHING = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}
_URL = re.compile(
    r"url\(\s*[\"']?(?!data:|#)([^\"')]+)|@import\s+[\"']([^\"']+)"
)
_BOX = 'class="solution admonition"'


class Page(HTMLParser):
    """What is of interest of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.narrow = False
        self.feed(text)

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        """Note what a tag says."""
        of = {name: value or "" for name, value in attrs}
        self.anchors |= {of[name] for name in ("id", "name") if name in of}
        if tag == "a" and "href" in of:
            self.links.append(of["href"])
        if tag in LOADED and LOADED[tag] in of:
            self.loads.append(of[LOADED[tag]])
        if tag == "link" and set(of.get("rel", "").split()) & FETCHING:
            self.loads.append(of.get("href", ""))
        if tag == "meta" and of.get("name") == "viewport":
            self.narrow |= "width=device-width" in of.get("content", "")


def pages(html: Path) -> dict[Path, Page]:
    """Read all pages of a book."""
    return {
        path: Page(path.read_text()) for path in sorted(html.rglob("*.html"))
    }


def elsewhere(url: str) -> bool:
    """Tell whether a browser would ask another computer for this."""
    parts = urlsplit(url)
    return bool(parts.netloc) or parts.scheme in {"http", "https", "ftp"}


def dead_links(html: Path, read: dict[Path, Page]) -> Iterator[str]:
    """Yield each link inside of the book that leads nowhere."""
    for path, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve()
            if not parts.path:
                target = path.resolve()
            where = f"{path.relative_to(html)}: {link}"
            if not target.exists():
                yield f"{where}: there is no such page"
                continue
            anchor = unquote(parts.fragment)
            known = read.get(html / target.relative_to(html.resolve()))
            if anchor and known and anchor not in known.anchors:
                yield f"{where}: there is no such place in it"


def loads(html: Path, read: dict[Path, Page]) -> Iterator[str]:
    """Yield each thing that a page would fetch from elsewhere."""
    for path, page in read.items():
        for url in page.loads:
            if elsewhere(url):
                yield f"{path.relative_to(html)} loads {url}"
    for path in sorted(html.rglob("*.css")):
        for found in _URL.findall(path.read_text(errors="replace")):
            if elsewhere("".join(found)):
                yield f"{path.relative_to(html)} loads {''.join(found)}"


def wide(html: Path, read: dict[Path, Page]) -> Iterator[str]:
    """Yield each page that does not say how wide it is."""
    for path, page in read.items():
        if not page.narrow:
            yield f"{path.relative_to(html)}: no viewport for small screens"


def sentences(text: str) -> set[str]:
    """Return lines of solutions that are long enough to be known again."""
    return {
        line
        for line in text.splitlines()
        if len(line) > 50 and not set(line) & set("`*<>&[]\"'")
    }


def solutions(html: Path, texts: Iterable[str]) -> Iterator[str]:
    """Yield each page that has a solution."""
    known = set().union(*map(sentences, texts))
    for path in sorted(html.rglob("*.html")):
        text = path.read_text()
        if _BOX in text or any(line in text for line in known):
            yield f"{path.relative_to(html)} has a solution of an exercise"


def unsolved(html: Path) -> Iterator[str]:
    """Yield each chapter that lacks solutions, in the instructors' book."""
    for path in sorted(SOLUTIONS.glob("*.md")):
        wanted = path.read_text().count(":::{solution}")
        page = html / f"{path.stem}.html"
        found = page.read_text().count(_BOX) if page.exists() else 0
        if found != wanted:
            yield f"{page.name} has {found} solutions, not {wanted}"


def main(args: list[str]) -> int:
    """Print what is wrong; the status is 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("html", type=Path)
    parser.add_argument("--instructors", action="store_true")
    asked = parser.parse_args(args)
    html: Path = asked.html
    read = pages(html)
    texts = [path.read_text() for path in SOLUTIONS.glob("*.md")]
    wrong = [
        *dead_links(html, read),
        *loads(html, read),
        *wide(html, read),
        *(unsolved(html) if asked.instructors else solutions(html, texts)),
    ]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(read)} pages looked at, {len(wrong)} things wrong")
    return 1 if wrong or not read else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What is wrong with a page is found."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tools import check_book

Check = Callable[[Path, dict[Path, check_book.Page]], Iterable[str]]
GOOD = '<meta name="viewport" content="width=device-width"><p id="here">'


def problems(place: Path, check: Check, text: str) -> list[str]:
    """Write two pages; return what a check says of them."""
    (place / "other.html").write_text(f'{GOOD}<p id="there">')
    (place / "page.html").write_text(text)
    return list(check(place, check_book.pages(place)))


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("other.html", ""),
        ("other.html#there", ""),
        ("#here", ""),
        ("https://example.org/#not-looked-at", ""),
        ("none.html", "there is no such page"),
        ("other.html#here-not", "there is no such place in it"),
        ("#there", "there is no such place in it"),
    ],
)
def test_a_link_leads_somewhere(tmp_path: Path, link: str, says: str) -> None:
    text = f'{GOOD}<a href="{link}">'
    found = problems(tmp_path, check_book.dead_links, text)
    assert [says] * len(found) == [f.rpartition(": ")[2] for f in found]
    assert bool(found) is bool(says)


@pytest.mark.parametrize(
    ("tag", "good"),
    [
        ('<img src="_images/a.svg">', True),
        ('<link rel="stylesheet" href="_static/a.css">', True),
        ('<link rel="canonical" href="https://example.org/">', True),
        ('<a href="https://example.org/">', True),
        ('<img src="data:image/png;base64,AA">', True),
        ('<img src="https://example.org/a.png">', False),
        ('<script src="//example.org/a.js"></script>', False),
        ('<link rel="stylesheet" href="http://example.org/a.css">', False),
        ('<link rel="preload" href="https://example.org/a.woff2">', False),
    ],
)
def test_a_page_loads_nothing_from_elsewhere(
    tmp_path: Path, tag: str, *, good: bool
) -> None:
    assert bool(problems(tmp_path, check_book.loads, GOOD + tag)) is not good


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        ("a { background: url(a.svg) }", True),
        ('a { background: url("data:image/svg+xml;utf8,<svg>") }', True),
        ("@font-face { src: url('https://example.org/a.woff') }", False),
        ('@import "https://example.org/a.css";', False),
    ],
)
def test_a_style_sheet_loads_nothing_from_elsewhere(
    tmp_path: Path, rule: str, *, good: bool
) -> None:
    (tmp_path / "a.css").write_text(rule)
    assert bool(problems(tmp_path, check_book.loads, GOOD)) is not good


def test_a_page_fits_a_phone(tmp_path: Path) -> None:
    assert problems(tmp_path, check_book.wide, GOOD) == []
    assert len(problems(tmp_path, check_book.wide, "<p>")) == 1


def test_the_words_of_a_solution_are_known_again(tmp_path: Path) -> None:
    line = "It is the number of entries that the machine reads for a miss."
    (tmp_path / "a.html").write_text(f"<p>{line}")
    assert list(check_book.solutions(tmp_path, [f"{line}\n"]))
    assert not list(check_book.solutions(tmp_path, ["Another sentence.\n"]))

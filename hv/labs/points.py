"""What a test of a lab is worth, and how it says what went wrong.

::

    @points(10, "walk: a page of 4 KiB")
    def test_walk_page() -> None:
        ...
        expect(machine, got, expected, "what a load at 0x40001000 gives")

A test fails by :func:`fail` or :func:`expect`, whose message is for a student:
what was expected, what came, and what the tables say.
"""

import ast
import threading
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hv.errors import UsageError

_Test = TypeVar("_Test", bound=Callable[..., object])
# In CPython 3.11 all threads share the variable in which ast.parse() counts how
# deep it is (https://github.com/python/cpython/issues/106905).
_PARSER = threading.Lock()


@dataclass(frozen=True, slots=True)
class Award:
    """A test and what it is worth."""

    test: str  #: its name without ``test_``
    title: str
    points: int


def points(worth: int, title: str) -> Callable[[_Test], _Test]:
    """Say what a test is worth: whole points, and a title for people.

    :raises UsageError: less than one point.
    """
    if worth < 1:
        raise UsageError(f"{title}: a test is worth a point at least")

    def mark(test: _Test) -> _Test:
        return test

    return mark


def plan(path: Path) -> list[Award]:
    """Return what a file of tests awards, without running any of it.

    So nothing that a submission does can change what the points are.

    :raises UsageError: the file cannot be read so.
    """
    text = path.read_text()
    with _PARSER:
        tree = ast.parse(text, str(path))
    awards = [
        Award(item.name.removeprefix("test_"), title, worth)
        for item in tree.body
        if isinstance(item, ast.FunctionDef)
        for worth, title in _marked(item, path)
    ]
    if not awards:
        raise UsageError(f"{path}: no test has @points(10, 'title')")
    return awards


def _marked(item: ast.FunctionDef, path: Path) -> list[tuple[int, str]]:
    found = []
    for mark in item.decorator_list:
        match mark:
            case ast.Call(
                func=ast.Name(id="points"),
                args=[
                    ast.Constant(value=int(worth)),
                    ast.Constant(value=title),
                ],
            ):
                found.append((worth, str(title)))
    if item.name.startswith("test_") and len(found) != 1:
        raise UsageError(
            f"{path}:{item.lineno}: {item.name} must have "
            "@points(10, 'title'), with the values written out"
        )
    return found


class Failed(AssertionError):  # noqa: N818 -- what happened
    """Carry a message for the student; the trace of Python is not shown."""


def fail(*lines: str) -> None:
    """Fail the test with this message.

    :raises Failed: always.
    """
    raise Failed("\n".join(lines))


def expect(
    got: object,
    expected: object,
    what: str,
    *context: str | Callable[[], str],
) -> None:
    """Fail the test unless two values are the same.

    :param context: lines that show where it happened; what is dear to make is
        a function, called if it is needed.
    :raises Failed: they are not.
    """
    if got != expected:
        fail(
            what,
            f"  expected  {_shown(expected)}",
            f"  got       {_shown(got)}",
            *(line if isinstance(line, str) else line() for line in context),
        )


def answered(
    answers: Path, name: str, happened: object, *, otherwise: str
) -> None:
    """Fail the test unless a student's answer is so; what is so, is not told.

    :param answers: the student's file of answers, TOML.
    :param otherwise: what is said of a wrong one, and what to do.
    :raises Failed: it is wrong, or there is none.
    """
    try:
        given = tomllib.loads(answers.read_text())
    except tomllib.TOMLDecodeError as error:
        fail(f"{answers.name}: {error}")
    if name not in given:
        fail(f"{answers.name}: {name} has no answer yet")
    if given[name] != happened:
        fail(f"{name}: {given[name]!r} {otherwise}")


def _shown(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 9:
        return f"{value:#x}"
    return str(value)

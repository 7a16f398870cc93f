"""What a value in a domain file may be, and the sentence if it is not.

A check returns the value as the API wants it, or raises :class:`Wrong` with
what is wrong and what would be right.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from hv.errors import UsageError
from hv.facts import State
from hv.units import TICKS, parse_size

Check = Callable[[object], object]

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_TIME = re.compile(r"(\d{1,12}(?:\.\d{1,9})?) ?(s|ms|us)", re.ASCII)


class Wrong(ValueError):  # noqa: N818 -- named for what happened
    """Say what is wrong with a value, and what would be right."""


def near(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean ...?``, or all there are."""
    names = [str(one) for one in known]
    found = get_close_matches(name, names, n=1)
    return f"did you mean {found[0]!r}?" if found else ", ".join(names)


def integer(low: int, high: int) -> Check:
    """Return a check for a number within bounds, these included.

    >>> integer(1, 65535)(0)
    Traceback (most recent call last):
    hv.domains.checks.Wrong: 0 is out of range; 1 to 65535
    """

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Wrong(f"{value!r} is no integer; {low} to {high}")
        if not low <= value <= high:
            raise Wrong(f"{value} is out of range; {low} to {high}")
        return value

    return check


def size(value: object) -> int:
    """Check a size, ``"16MiB"``; return it in bytes."""
    try:
        if isinstance(value, str | int):
            return parse_size(value)
    except UsageError:
        pass
    raise Wrong(f'{value!r} is no size; "16MiB", "64M" or 4096')


def seconds(value: object) -> float:
    """Check a time, ``"20ms"``; return it in seconds.

    >>> seconds("20ms")
    0.02
    """
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Wrong(f'{value!r} is no time; "1.5s", "20ms" or "100us"')
    return float(match[1]) * _UNITS[match[2]]


def ticks(value: object) -> int:
    """Check a time, ``"1ms"``, or a number of ticks; return it in ticks.

    >>> ticks("1ms"), ticks(500)
    (10000, 500)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        try:
            number = round(seconds(value) * TICKS)
        except Wrong:
            raise Wrong(
                f'{value!r} is no time; "1ms", "100us", or a number of ticks '
                "of 0.1 us"
            ) from None
    if not 1 <= number < 1 << 32:
        raise Wrong(f"{value!r} is out of range; 1 to {(1 << 32) - 1} ticks")
    return number


def text(value: object) -> str:
    """Check that it is text, on one line."""
    if not isinstance(value, str):
        raise Wrong(f"{value!r} is no text; write it in quotes")
    if not value.isprintable():
        raise Wrong(f"{value!r} has characters that cannot be printed")
    return value


def name(value: object) -> str:
    """Check a name for a VM."""
    if not isinstance(value, str) or not re.fullmatch(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}", value
    ):
        raise Wrong(
            f"{value!r} is no name; up to 32 letters, digits, '_', '-', '.'"
        )
    return value


def flag(value: object) -> bool:
    """Check that it is true or false."""
    if not isinstance(value, bool):
        raise Wrong(f"{value!r} is neither true nor false")
    return value


def choice(kind: type[StrEnum]) -> Check:
    """Return a check for a member of an enumeration."""

    def check(value: object) -> StrEnum:
        try:
            return kind(str(value))
        except ValueError:
            hint = near(str(value), kind)
            raise Wrong(f"there is no {value!r}; {hint}") from None

    return check


def harts(value: object) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
    """Check a list of harts, for all vCPUs; or one such list for each."""
    right = "[0, 1] for all vCPUs, or a list for each: [[0], [1]]"
    if isinstance(value, list) and value:
        if all(type(hart) is int for hart in value):
            return tuple(value)
        if all(
            isinstance(row, list) and row and all(type(h) is int for h in row)
            for row in value
        ):
            return tuple(map(tuple, value))
    raise Wrong(f"{value!r} is no list of harts; {right}")


# -- how a VM is to end ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expect:
    """How a VM is to end.

    :param text: as it was written.
    :param state: the state; None is alive.
    :param code: of ``off``, the exit code; None is any.
    :param why: of ``killed``, words that the reason must have.
    """

    text: str
    state: State | None
    code: int | None = None
    why: str = ""

    def met(self, state: State, code: int | None, reason: str) -> bool:
        """Say whether that is how it was to end."""
        if self.state is None:
            return not state.ended
        return (
            state is self.state
            and self.code in (None, code)
            and self.why in reason
        )

    def __str__(self) -> str:
        """Return what was written."""
        return self.text


ANY_SUCCESS = Expect("off:0", State.OFF, code=0)

_EXPECT = (
    '"off:0" (with success), "off:3", "off", "killed", "killed: words of the '
    'reason", "budget" or "running"'
)


def expect(value: object) -> Expect:
    """Check how a VM is to end.

    >>> expect("off:3").code
    3
    """
    if not isinstance(value, str):
        raise Wrong(f"{value!r} is no ending; {_EXPECT}")
    word, _, rest = value.partition(":")
    rest = rest.strip()
    match word:
        case "running" if not rest:
            return Expect(value, None)
        case "budget" if not rest:
            return Expect(value, State.BUDGET)
        case "killed":
            return Expect(value, State.KILLED, why=rest)
        case "off" if value == "off":
            return Expect(value, State.OFF)
        case "off" if re.fullmatch(r"\d{1,10}", rest, re.ASCII):
            return Expect(value, State.OFF, code=int(rest))
    raise Wrong(f"{value!r} is no ending; {_EXPECT}")

"""What the core says of a program."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from hv.fuzz import ops


class Key(NamedTuple):
    """What makes two findings the same: property, and operation that broke it.

    A shrinker that keeps it cannot slip from one bug to another that breaks
    something else.
    """

    property: str
    op: str

    def __str__(self) -> str:
        return f"{self.property}/{self.op}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of one program.

    :param broke: the property that did: "P7" and so on; empty: all held.
    :param what: the same in words.
    :param op: index of the record at which it broke.
    :param kind: number of that record's operation.
    :param done: records executed.
    :param steps: operations and guest steps.
    :param hash: of the host at the end.
    :param trace: of what each VM has seen.
    :param checks: made in all.
    """

    broke: str = ""
    what: str = ""
    op: int = 0
    kind: int = 0
    done: int = 0
    steps: int = 0
    hash: int = 0
    trace: tuple[int, ...] = (0, 0, 0, 0)
    checks: int = 0

    @property
    def ok(self) -> bool:
        """Whether every property held."""
        return not self.broke

    @property
    def key(self) -> Key:
        """What a finding is known by.

        :raises ValueError: if nothing broke.
        """
        if self.ok:
            raise ValueError("nothing broke")
        return Key(self.broke, ops.table()[self.kind].name)

    @classmethod
    def from_c(cls, ffi: Any, out: Any) -> "Verdict":  # noqa: ANN401 -- C's
        """Return a verdict that C has filled in."""
        return cls(
            broke=ffi.string(out.property).decode(errors="replace"),
            what=ffi.string(out.what).decode(errors="replace"),
            op=out.op,
            kind=out.kind % len(ops.table()),
            done=out.done,
            steps=out.steps,
            hash=out.hash,
            trace=tuple(out.trace),
            checks=out.checks,
        )

"""In which order the harts of a machine take turns, and for how long.

Harts take turns in rounds: each runs once, in the round's order, until its
clock reaches the end of the round. That decides every race between them, so it
is an input like a console's: chosen, noted, and given again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hv.core import ffi, lib
from hv.errors import UsageError
from hv.facts import U32, U64, integer
from hv.host import Host

# What can be asked for: a seed (0: none), or rounds.
Interleave = int | Iterable["Round"]


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of every hart.

    :param length: cycles from the beginning of the round to its end.
    :param order: the harts, each once.
    """

    length: int
    order: tuple[int, ...]


class Interleaving:
    """The rounds of one machine: ``machine.interleaving``.

    What is asked for here is about rounds that have not begun; nothing of it
    matters to a machine of one hart, which has no rounds.

    >>> from hv import Machine
    >>> with Machine(harts=2, interleave=[Round(50, (1, 0))]) as machine:
    ...     machine.mem.write(0x80000000, bytes.fromhex("6f000000"))
    ...     machine.boot(0x80000000)
    ...     machine.interleaving.record()
    ...     machine.run(max_insns=1000).insns
    ...     machine.interleaving.rounds[0]
    1000
    Round(length=50, order=(1, 0))
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._harts = host.harts

    def set(self, what: Interleave) -> None:
        """Choose rounds by a seed, or by a list; see the methods for each."""
        if isinstance(what, int):
            self.seed(what)
        else:
            self.replay(what)

    def seed(self, seed: int) -> None:
        """Draw the order and the length of each round, of 1 to the quantum.

        :param seed: 0 is none: harts by number, cuts at the multiples of the
            quantum.
        :raises UsageError: if it is not a number of 64 bits.
        """
        integer("an interleaving's seed", seed, 0, U64)
        self._host.checked("interleaving", lib.hv_interleave_seed, seed)

    def replay(self, rounds: Iterable[Round]) -> None:
        """Let the next rounds be these; after them the seed decides again.

        :raises UsageError: if a length is 0, or an order has not every hart.
        """
        wanted = list(rounds)
        out = ffi.new("struct hv_round[]", len(wanted))
        for i, it in enumerate(wanted):
            if sorted(it.order) != list(range(self._harts)):
                raise UsageError(
                    f"round {i}: order {it.order} has not each of "
                    f"{self._harts} harts once"
                )
            out[i].length = integer(f"round {i}: length", it.length, 1, U32)
            out[i].order[0 : self._harts] = list(it.order)
        self._host.checked(
            "interleaving", lib.hv_interleave_set, out, len(wanted)
        )

    def record(self, on: bool = True) -> None:  # noqa: FBT001, FBT002 -- a switch
        """Begin a new record of the rounds that are made, or stop.

        One that is begun before the machine first runs is all that
        :meth:`replay` needs to make the same run again.
        """
        self._host.checked("recording", lib.hv_interleave_record, int(on))

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The record, with the round that is under way.

        :raises NoMemory: if this computer had no room for a round.
        """
        count = ffi.new("uint32_t *")
        self._get(0, ffi.NULL, 0, count)
        out = ffi.new("struct hv_round[]", count[0])
        self._get(0, out, count[0], count)
        return tuple(
            Round(it.length, tuple(it.order[0 : self._harts])) for it in out
        )

    def _get(self, *args: object) -> None:
        self._host.checked("reading the record", lib.hv_interleave_get, *args)

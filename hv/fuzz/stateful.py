"""A Hypothesis state machine that writes a hypervisor program, rule by rule.

Each rule is a sentence about a guest or the host, and appends a record; the
program is executed when it is complete. Handles are those that earlier rules
have returned, so that a page that was mapped is what is unmapped and used.

>>> machine = HypervisorPrograms.TestCase  # run it with unittest or pytest
"""

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    rule,
)

from hv.fuzz import ops
from hv.fuzz.format import Form, Program, Record, encode, operand
from hv.fuzz.native import Core, wheat
from hv.fuzz.strategies import RIGHTS, actors, records
from hv.fuzz.text import render

pages = st.integers(0, 11)
frames = st.integers(0, 15)
values = st.integers(0, 255)


def _live(number: int) -> int:
    return operand(Form.LIVE, number)


def _address(page: int) -> int:
    return operand(Form.LIVE, page << 5)


class HypervisorPrograms(RuleBasedStateMachine):
    """Write a program; it must break nothing."""

    core: ClassVar[Core | None] = None  # None: hv's own
    mapped: Bundle[tuple[int, int]] = Bundle("mapped")  # VM, page
    unmapped: Bundle[tuple[int, int]] = Bundle("unmapped")

    def __init__(self) -> None:
        super().__init__()
        self.program = Program()
        self.records: list[Record] = []

    def append(self, name: str, actor: int, *args: int) -> None:
        """Append an operation by its name."""
        a, b, c = (*args, 0, 0, 0)[:3]
        row = ops.by_name()[name]
        self.records.append(Record(row.number, actor, (a, b, c)))

    @initialize(
        flags=st.sampled_from([0, *ops.flags().values()]),
        world=st.integers(0, 0xFFFF),
    )
    def host_is_made(self, flags: int, world: int) -> None:
        """Choose the world."""
        self.program = Program(flags=flags, world=world)

    @rule(
        target=mapped,
        vm=st.integers(0, 1),
        page=pages,
        frame=frames,
        rights=st.sampled_from(RIGHTS),
    )
    def guest_maps(
        self, vm: int, page: int, frame: int, rights: int
    ) -> tuple[int, int]:
        """Map a page of the window."""
        self.append("map", vm | 16, page, _live(frame), rights)
        return vm, page

    @rule(target=unmapped, page=consumes(mapped))
    def guest_unmaps(self, page: tuple[int, int]) -> tuple[int, int]:
        """Unmap it."""
        self.append("unmap", page[0] | 16, page[1])
        return page

    @rule(page=mapped | unmapped)
    def guest_fences(self, page: tuple[int, int]) -> None:
        """Fence it."""
        self.append("sfence", page[0] | 16, _address(page[1]), 1)

    @rule(page=mapped | unmapped, user=st.booleans())
    def guest_loads(self, page: tuple[int, int], *, user: bool) -> None:
        """Load from it."""
        actor = page[0] | (0 if user else 16)
        self.append("load", actor, _address(page[1]), 2)

    @rule(page=mapped, value=values, user=st.booleans())
    def guest_stores(
        self, page: tuple[int, int], value: int, *, user: bool
    ) -> None:
        """Store to it."""
        actor = page[0] | (0 if user else 16)
        self.append("store", actor, _address(page[1]), 2, value)

    @rule(vm=st.integers(0, 1), frame=frames)
    def guest_gives_a_frame_back(self, vm: int, frame: int) -> None:
        """Balloon."""
        self.append("balloon_set", vm | 16, 4)
        self.append("balloon_give", vm | 16, _live(frame), 1)

    @rule(actor=actors(2), count=st.integers(0, 16))
    def host_shares_equal_pages(self, actor: int, count: int) -> None:
        """Share."""
        self.append("share", actor, count)

    @rule(vm=st.integers(0, 1), again=st.booleans())
    def host_destroys(self, vm: int, *, again: bool) -> None:
        """Destroy a VM, and perhaps make another one."""
        self.append("destroy", vm | 16)
        if again:
            self.append("create", vm | 16, 0, 4)

    @rule(record=records())
    def anybody_does_anything(self, record: Record) -> None:
        """Do what no other rule says."""
        self.records.append(record)

    def teardown(self) -> None:
        """Execute the program.

        :raises AssertionError: with the program, if it breaks something.
        """
        records = tuple(self.records[: ops.MAX_RECORDS])
        program = self.program.with_records(records, 0, 0)
        with (self.core or wheat()).context() as context:
            verdict = context.execute(encode(program))
        if not verdict.ok:
            notes = {verdict.op: f"{verdict.broke}: {verdict.what}"}
            raise AssertionError(render(program, notes=notes))

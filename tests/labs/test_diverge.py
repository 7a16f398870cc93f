"""Where two guests part is told: step, line of the source, trap, tables."""

from pathlib import Path

import pytest

from hv.guest import Guest
from hv.images import find
from hv.labs.diverge import Parting, function_of, line_of, part, where
from hv.labs.kit import (
    AD,
    CODE,
    DATA,
    DATA_VA,
    LW_A1_A0,
    OTHER,
    RWX,
    VIRTUAL,
    Board,
    Paged,
    V,
    moved,
    pte,
)
from hv.labs.points import Failed, expect
from hv.machine import Machine

NOP, EBREAK = 0x13, 0x00100073
INTERRUPT = {"stvec": 0x80004001, "sie": 2, "sip": 2, "sstatus": 2}


def parted(words: list[int], spoil: str = "") -> Parting | None:
    """Let two machines run these words, paged; one of them is spoilt."""
    with Paged() as right, Paged() as wrong:
        for board in (right, wrong):
            for i, word in enumerate(words):
                board.mem.write32(CODE + 4 * i, word)
            board.entry(DATA_VA, pte(DATA, V | RWX | AD))
            board.cpu.set_priv("S")
            board.cpu.pc = VIRTUAL
            board.cpu.a0 = DATA_VA
        if spoil == "unmapped":
            right.entry(DATA_VA, 0)
        elif spoil == "remapped":
            wrong.entry(DATA_VA, pte(OTHER, V | RWX | AD))
        return part(wrong.machine, right.machine, len(words))


def test_who_does_the_same_does_not_part() -> None:
    assert parted([NOP, LW_A1_A0, EBREAK]) is None


def test_a_register_is_named_with_both_values() -> None:
    found = parted([NOP, LW_A1_A0, NOP], "remapped")
    assert found is not None
    assert (found.step, found.pc) == (2, VIRTUAL + 4)
    assert (found.what, found.expected, found.got) == ("a1", "0x1", "0x2")
    assert found.trap is None
    assert found.lines[:3] == (
        "step 2, at 0x40000004: a1 is not the same",
        "  expected  0x1",
        "  got       0x2",
    )


def test_a_trap_that_did_not_come_has_the_tables() -> None:
    found = parted([LW_A1_A0], "unmapped")
    assert found is not None
    assert found.what == "pc"
    assert found.trap is not None
    assert (found.trap.step, found.trap.cause) == (1, 13)
    text = "\n".join(found.lines)
    assert "the last trap: this step, load page fault, at 0x40000000" in text
    assert "what the tables say:" in text
    assert "0x40001000" in text


def test_a_vectored_interrupt_is_a_trap_like_others() -> None:
    with Board() as right, Board() as wrong:
        for board in (right, wrong):
            for name, value in INTERRUPT.items():
                board.cpu.set_reg(name, value)
            board.cpu.set_priv("S")
            board.cpu.pc = CODE
        wrong.cpu.a0 = 7
        found = part(wrong.machine, right.machine, 1)
        assert found is not None
        assert found.trap is not None
        assert found.trap.cause == 1 << 31 | 1
        text = f"the last trap: this step, software interrupt, at {CODE:#x}"
        assert text in found.lines[3]


def test_a_guest_that_is_not_moved_any_more_is_told_of() -> None:
    with Paged() as right, Paged() as wrong:
        for board in (right, wrong):
            board.mem.write32(CODE, NOP)
            board.cpu.set_priv("S")
            board.cpu.pc = VIRTUAL

        def stuck(guest: Guest) -> bool:
            return guest is right.machine and moved(guest)

        found = part(wrong.machine, right.machine, 1, b"", stuck)
        assert found is not None
        assert "still there" in found.lines[3]


def test_what_is_dear_to_show_is_made_for_a_failure_alone() -> None:
    asked: list[str] = []

    def picture() -> str:
        asked.append("once")
        return "a picture"

    expect(1, 1, "one", picture)
    assert not asked
    with pytest.raises(Failed, match="a picture"):
        expect(1, 2, "two", picture)
    assert asked == ["once"]


def test_a_file_without_names_tells_none() -> None:
    assert where(b"", 0x80000000) == ""
    assert where(b"no ELF at all", 0x80000000) == ""


@pytest.mark.images
def test_an_address_has_a_line_and_a_function() -> None:
    path = Path(find("kernel-native").path)
    image = path.read_bytes()
    with Machine() as machine:
        machine.load(path)
        at = machine.address("hart_main")
    assert function_of(image, at) == "hart_main"
    file, _, line = line_of(image, at).partition(":")
    assert file.endswith(".c")
    assert int(line) > 0
    assert where(image, at).endswith(" in hart_main)")

"""A deadline has two words, and so has the time at which it is met."""

import pytest

from hv.abi import Hypercall
from tests.equivalence.core import Core, build, good_core, planted
from tests.machine import asm
from tests.memory.puppet import (
    CODE,
    PAGE,
    SBI_EXT_HV,
    SHARED,
    TRAP,
    Host,
    Puppet,
)

SBI_TIME, SBI_LEGACY_SET_TIMER, SBI_HSM = 0x54494D45, 0, 0x48534D
SIE, STIE, TIME, TIMEH = 0x104, 1 << 5, 0xC01, 0xC81
SI_TIME = SHARED * PAGE + 40
AT = CODE * PAGE + 128
DEADLINES = (3 << 32 | 7, 1 << 33 | 0x8000_0000, 0x5_0000_0000)
SOON, LATE = 10_000, 1 << 24  # ticks
STYLES = ("EMULATE", "ASSIST", "NESTED", "PV", "DIRECT")


def _asked(puppet: Puppet, extension: int, deadline: int) -> list[int]:
    """Let it sleep until then; return what it sees of the time when it wakes.

    Under the styles that know, also what its shared page says.
    """
    number = Hypercall.SET_TIMER if extension == SBI_EXT_HV else 0
    low, high = deadline & 0xFFFFFFFF, deadline >> 32
    # What is in the third argument is nobody's business.
    assert puppet.call(number, low, high, 9, extension=extension) == 0
    if extension == SBI_EXT_HV:
        assert puppet.get(asm.A1) == 0  # the call has no value
    wait = [asm.WFI]
    if puppet.pv:
        number = Hypercall.BLOCK
        wait = [*asm.li(asm.A7, SBI_EXT_HV), *asm.li(asm.A6, number), asm.ECALL]
    look = [asm.csrr(asm.A2, TIMEH), asm.csrr(asm.A3, TIME)]
    code = wait + look + [asm.j(0)]
    puppet.write(AT, b"".join(word.to_bytes(4, "little") for word in code))
    told = []
    if puppet.pv:
        # The interrupt comes before the next instruction.
        after = AT + 4 * len(wait)
        assert puppet.call(Hypercall.SET_ENTRY, after, 0) == 0
    puppet.set(puppet.lib.HV_REG_PC, AT)
    puppet.host.run(2000)
    if puppet.pv:
        shared = puppet.read(SI_TIME, 8)
        told.append(int.from_bytes(shared, "little"))
    return [puppet.get(asm.A2) << 32 | puppet.get(asm.A3), *told]


def deadlines_have_two_words(core: Core) -> None:
    for style in STYLES:
        ways = [SBI_TIME, SBI_LEGACY_SET_TIMER]
        if style in ("PV", "DIRECT"):
            ways.append(SBI_EXT_HV)
        for extension in ways:
            for deadline in DEADLINES:
                puppet = Puppet(Host(core, 256), 16, style)
                if not puppet.pv:
                    puppet.set(puppet.lib.HV_REG_CSR + SIE, STIE)
                for time in _asked(puppet, extension, deadline):
                    late = time - deadline
                    assert 0 <= late < SOON, f"{style}: {late} ticks late"
                puppet.host.audit()


def who_stops_has_no_deadline(core: Core) -> None:
    """It is not met after a new start, and nobody waits for it."""
    for style in ("EMULATE", "PV"):
        puppet = Puppet(Host(core, 256), 16, style, vcpus=2)
        trap = CODE * PAGE + TRAP
        puppet.start(1, trap)
        puppet.vcpu = 1
        assert puppet.call(0, LATE, 0, extension=SBI_TIME) == 0
        puppet.call(1, extension=SBI_HSM)
        puppet.vcpu = 0
        puppet.call(3, 0, extension=SBI_HSM)  # suspended: nobody runs
        run = puppet.host.run(2000)
        assert run.reason == puppet.lib.HV_RUN_IDLE, f"{style}: {run.reason}"
        assert puppet.host.info.cycles < LATE, "it waited for nobody"
        puppet.host.audit()


def test_who_stops_has_no_deadline() -> None:
    who_stops_has_no_deadline(good_core())


def test_deadlines_have_two_words() -> None:
    deadlines_have_two_words(good_core())


@pytest.mark.parametrize(
    ("file", "text", "instead"),
    [
        ("hyp/sbi.c", "(uint64_t)arg[1] << 32", "(uint64_t)arg[1] << 31"),
        ("hyp/hypercall.c", "(uint64_t)c->arg[1] << 32", "c->arg[2]"),
        ("hyp/vcsr.c", "wide >> 32", "wide >> 33"),
    ],
)
def test_who_loses_a_bit_is_found(file: str, text: str, instead: str) -> None:
    core = Core(build(planted("deadline", file, text, instead)))
    with pytest.raises(AssertionError):
        deadlines_have_two_words(core)

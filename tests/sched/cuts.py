"""A long multicall, made by a puppet: cut into pieces, it is still one call."""

from hv.abi import Hypercall
from tests.equivalence.core import Core
from tests.machine import asm
from tests.memory.puppet import (
    CALL,
    CODE,
    DATA,
    LISTS,
    PAGE,
    SBI_EXT_HV,
    Host,
    Puppet,
)

EXIT_BOUND = 12_000  # cycles: csrc/hyp/hyp.h
CALLS, UPDATES = 8, 64
TARGET = DATA + 1 + CALLS * UPDATES * 8 // PAGE  # the first page stored to
INVALID = -3
UNTOUCHED = 0x5CA1AB1E  # an error that no call returns


def _words(*words: int) -> bytes:
    return b"".join((word & 0xFFFFFFFF).to_bytes(4, "little") for word in words)


def _value(call: int, update: int) -> int:
    return call << 16 | update | 0xABC00000


def _puppet(core: Core) -> Puppet:
    puppet = Puppet(Host(core, 2048), TARGET - CODE + CALLS * UPDATES)
    for call in range(CALLS):
        at = DATA * PAGE + call * UPDATES * 8
        gpa = (TARGET + call * UPDATES) * PAGE
        for n in range(UPDATES):
            puppet.write(at + 8 * n, _words(gpa + n * PAGE, _value(call, n)))
        record = _words(Hypercall.PT_UPDATE, UNTOUCHED, at, UPDATES, 0, 0)
        puppet.write(LISTS * PAGE + 24 * call, record)
    return puppet


def _errors(puppet: Puppet) -> list[int]:
    return [
        int.from_bytes(puppet.read(LISTS * PAGE + 24 * n + 4, 4), "little")
        for n in range(CALLS)
    ]


def a_long_call_is_cut(core: Core) -> None:
    """In one step of the vCPU, and in many exits; nothing of it is lost."""
    puppet = _puppet(core)
    cycles, exits = puppet.info.cycles, puppet.counter("exits")
    given = {"A0": LISTS * PAGE, "A1": CALLS, "A6": Hypercall.MULTICALL}
    for name, value in (*given.items(), ("A7", SBI_EXT_HV)):
        puppet.set(getattr(asm, name), value)
    at = CODE * PAGE + CALL
    puppet.set(puppet.lib.HV_REG_PC, at)
    puppet.host.ok(puppet.lib.hv_step(puppet.host.raw, puppet.id, 0))
    assert puppet.get(puppet.lib.HV_REG_PC) == at + 4, "a step is a call"
    cycles = puppet.info.cycles - cycles
    exits = puppet.counter("exits") - exits
    assert cycles <= exits * EXIT_BOUND, "an exit without an end"
    assert puppet.get(asm.A0) == 0
    assert puppet.get(asm.A1) == CALLS, "the value is not the sum"
    assert _errors(puppet) == [0] * CALLS, "a record was skipped"
    for n in range(CALLS * UPDATES):
        word = puppet.read((TARGET + n) * PAGE, 4)
        assert word == _words(_value(n // UPDATES, n % UPDATES)), "not stored"
    assert cycles > CALLS * UPDATES * 1024, "each page had to be made"
    puppet.host.audit()


def forged_progress_is_checked(core: Core) -> None:
    """What a register says of calls that have run is no more than an offer."""
    puppet = _puppet(core)
    for before, left in ((1, 40), (32, 1), (31, 2), (65535, 1), (7, 0)):
        told = puppet.call(
            Hypercall.MULTICALL, LISTS * PAGE, before << 16 | left
        )
        assert told == INVALID, f"forged: {before} and {left}"
    assert _errors(puppet) == [UNTOUCHED] * CALLS, "forged, and it has run"
    last = LISTS * PAGE + 24 * (CALLS - 1)
    assert puppet.call(Hypercall.MULTICALL, last, 31 << 16 | 1) == 0
    assert puppet.get(asm.A1) == 32
    assert _errors(puppet) == [UNTOUCHED] * (CALLS - 1) + [0]


def in_pieces_as_at_once(core: Core) -> None:
    """The same list, one call for each record: the same memory."""
    whole, parts = _puppet(core), _puppet(core)
    assert whole.call(Hypercall.MULTICALL, LISTS * PAGE, CALLS) == 0
    for n in range(CALLS):
        assert parts.call(Hypercall.MULTICALL, LISTS * PAGE + 24 * n, 1) == 0
    assert whole.populated() == parts.populated(), "not what the parts do"

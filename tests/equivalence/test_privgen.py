"""The generator of random privileged programs makes what it says."""

import hashlib
import itertools

import capstone
import pytest

from tests.equivalence.core import compilers, good_core
from tests.equivalence.lockstep import (
    CODE,
    RAM_BASE,
    UNFENCED,
    Lockstep,
    disassemble,
    word_at,
)

PAGE = 0x1000
TABLES = range(2, 8)  # the pages with page tables


def images(flags: int, count: int) -> list[bytes]:
    lockstep = Lockstep(good_core(), flags=flags)
    return [lockstep.image(seed) for seed in range(count)]


def test_a_seed_is_a_program() -> None:
    first, again = images(0, 50), images(0, 50)
    assert first == again
    assert len({hashlib.sha256(image).digest() for image in first}) == 50
    assert images(UNFENCED, 50) != first


@pytest.mark.parametrize("compiler", sorted(compilers()))
def test_a_seed_is_the_same_program_everywhere(compiler: str) -> None:
    """No draw may depend on the order in which C evaluates arguments."""
    lockstep = Lockstep(good_core(compiler))
    assert [lockstep.image(seed) for seed in range(300)] == images(0, 300)


def test_wrong_arguments_are_refused() -> None:
    core = good_core()
    small = core.ffi.new("uint8_t[]", 4096)
    refused = core.lib.HV_ERR_INVALID
    size = core.lib.HV_PRIVGEN_RAM
    assert core.lib.hv_privgen(0, 0, small, 4096) == refused
    assert core.lib.hv_privgen(0, 0, core.ffi.NULL, size) == refused
    big = core.ffi.new("uint8_t[]", size)
    assert core.lib.hv_privgen(0, 8, big, size) == refused


def test_all_of_the_instruction_set_is_used() -> None:
    decoder = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32)
    seen: set[str] = set()
    for image in images(0, 200):
        code = image[CODE.start - RAM_BASE : CODE.stop - RAM_BASE]
        for at in range(0, len(code), 4):
            for insn in decoder.disasm(code[at : at + 4], 0):
                seen.add(insn.mnemonic)
    wanted = (
        "lui jal jalr add sub xor or and sll srl sra slt sltu mul mulh mulhsu "
        "mulhu div divu rem remu lb lh lw lbu lhu sb sh sw beq bne blt bge "
        "bltu bgeu lr.w sc.w amoswap.w amoadd.w amoxor.w amoand.w amoor.w "
        "amomin.w amomax.w amominu.w amomaxu.w fence fence.i ecall ebreak "
        "mret sret wfi sfence.vma csrrw csrrs csrrc csrrwi csrrsi csrrci"
    )
    # Capstone prefers short names where operands are x0; these have no others.
    alias = {
        "j": "jal",
        "jr": "jalr",
        "csrw": "csrrw",
        "csrs": "csrrs",
        "csrr": "csrrs",
        "csrc": "csrrc",
        "csrwi": "csrrwi",
        "csrsi": "csrrsi",
        "csrci": "csrrci",
    }
    seen |= {alias[name] for name in seen if name in alias}
    assert set(wanted.split()) <= seen


def test_the_handler_has_no_odd_words() -> None:
    for image in images(0, 20):
        for pc in range(RAM_BASE + 0x100, RAM_BASE + 0x1BC, 4):
            text = disassemble(word_at(image, pc), pc)
            assert not text.startswith(".word"), f"{pc:#x}: {text}"


def test_no_page_of_a_fenced_program_is_a_writable_table() -> None:
    """But through the kernel's own mapping, whose stores are all fenced."""
    for image in images(0, 300):
        for table, index in itertools.product((5, 6, 7), range(1024)):
            pte = word_at(image, RAM_BASE + table * PAGE + 4 * index)
            page = (pte >> 10) - (RAM_BASE >> 12)
            writable = pte & 0b101 == 0b101
            assert not (writable and page in TABLES), f"{table}, {index}"

"""Choose the sequences that the fast engine has one handler for.

    python tools/gen_fused.py IMAGE... > csrc/machine/fast_fused.def

Images are ELF files for riscv32, linked or not: the guest kernels, the user
programs, the firmware, the hypervisor and the machine compiled as guests. No
benchmark is among them, or its figures would prove nothing.

A sequence is two to four instructions that follow each other; only the last
may leave the straight line. Every instruction of an image counts by the depth
of the loops that it stands in (a backward branch makes a loop of what it spans,
worth LOOP times the code outside). Sequences are taken greedily: each round
adds the one that saves the most dispatches, given those already chosen and that
the decoder always takes the longest.

A loop that is one straight line of at most LONGEST_LOOP instructions and jumps
back to its own beginning is a sequence, too, if enough images have it. Its
handler keeps the registers in variables while it goes round, so it is made for
one pattern of them: ``lw a, (b)`` followed by ``sw a, (c)`` is not the same as
followed by ``sw c, (a)``.
"""

import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LONGEST = 4
SEQUENCES = 200
LOOP = 8
DEEPEST = 3
LONGEST_LOOP = 6
LOOPS = 24

LOADS = {0: "lb", 1: "lh", 2: "lw", 4: "lbu", 5: "lhu"}
STORES = {0: "sb", 1: "sh", 2: "sw"}
BRANCHES = {0: "beq", 1: "bne", 4: "blt", 5: "bge", 6: "bltu", 7: "bgeu"}
IMMEDIATE = ["addi", "slli", "slti", "sltiu", "xori", "srli", "ori", "andi"]
PLAIN: list[str | None] = [
    "add",
    "sll",
    "slt",
    "sltu",
    "xor",
    "srl",
    "or",
    "and",
]
MULDIV: list[str | None] = [
    "mul",
    "mulh",
    "mulhsu",
    "mulhu",
    "div",
    "divu",
    "rem",
    "remu",
]
ALTERNATE: list[str | None] = ["sub", None, None, None, None, "sra", None, None]
LEAVES = {*BRANCHES.values(), "j", "jalr"}  # at the end of a sequence only
SINK = 32  # where writes to x0 go
IMMEDIATE_KINDS = {"LOOP_LOAD", "LOOP_STORE", "LOOP_IMM", "LOOP_LI"}
LETTERS = "abcdefghijklmnopqr"

# Which fields an operation names registers in: rd, rs1, rs2.
FIELDS: dict[str, str] = (
    dict.fromkeys(filter(None, [*PLAIN, *MULDIV, *ALTERNATE]), "d12")
    | dict.fromkeys([*IMMEDIATE, "srai", *LOADS.values()], "d1-")
    | dict.fromkeys([*STORES.values(), *BRANCHES.values()], "-12")
    | {"mv": "d1-", "li": "d--"}
)

HEADING = """\
/* fast_fused.def - sequences of operations that have one handler.
 * Written by tools/gen_fused.py. First the loops, with a number for each
 * register of each operation; of sequences that begin with the same operation,
 * the longest come first. */"""

Sequence = tuple[str, ...]


@dataclass
class Insn:
    """One instruction, as far as it matters here."""

    op: str | None  # None: never part of a sequence
    target: int | None = None  # as a distance in instructions
    weight: int = 1
    word: int = 0

    def registers(self) -> tuple[int | None, ...]:
        """Return rd, rs1 and rs2 as far as there are; x0 is no target."""
        fields = FIELDS[self.op or ""]
        rd, rs1, rs2 = (self.word >> at & 31 for at in (7, 15, 20))
        values = (rd or SINK, rs1, rs2)
        return tuple(
            value if field != "-" else None
            for value, field in zip(values, fields, strict=True)
        )


@dataclass(frozen=True)
class Loop:
    """A shape of loop: operations, and a letter for every register."""

    names: Sequence
    letters: tuple[str, ...]  # three for each operation, "" for none


def signed(value: int, bits: int) -> int:
    """Return a field of so many bits as a signed number."""
    return value - ((value & 1 << (bits - 1)) << 1)


def funct3(word: int) -> int:
    """Return the field that tells instructions of one opcode apart."""
    return word >> 12 & 7


def op_imm(word: int) -> str:
    """Name an operation on a register and an immediate."""
    which, immediate = funct3(word), word >> 20
    if word >> 7 & 31 == 0:
        return "nop"
    if which == 0 and word >> 15 & 31 == 0:
        return "li"
    if which == 0 and immediate == 0:
        return "mv"
    return "srai" if which == 5 and word >> 30 else IMMEDIATE[which]


def op(word: int) -> str | None:
    """Name an operation on two registers."""
    table = {0: PLAIN, 1: MULDIV, 0x20: ALTERNATE}.get(word >> 25)
    return table[funct3(word)] if table else None


def branch_distance(word: int) -> int:
    """Return how far a conditional branch goes, in bytes."""
    low = (word >> 8 & 15) << 1 | (word >> 25 & 63) << 5
    return signed(word >> 31, 1) << 12 | (word >> 7 & 1) << 11 | low


def jal_distance(word: int) -> int:
    """Return how far a jump goes, in bytes."""
    low = (word >> 21 & 0x3FF) << 1 | (word >> 20 & 1) << 11
    return signed(word >> 31, 1) << 20 | (word >> 12 & 0xFF) << 12 | low


NAMES: dict[int, Callable[[int], str | None]] = {
    0x03: lambda word: LOADS.get(funct3(word)),
    0x13: op_imm,
    0x17: lambda _: "auipc",
    0x23: lambda word: STORES.get(funct3(word)),
    0x33: op,
    0x37: lambda _: "li",
    0x63: lambda word: BRANCHES.get(funct3(word)),
    0x67: lambda _: "jalr",
    0x6F: lambda word: "j" if word >> 7 & 31 == 0 else None,
}
DISTANCES = {0x63: branch_distance, 0x6F: jal_distance}


def decode(word: int) -> Insn:
    """Name the operation that csrc/machine/fast_decode.c makes of a word."""
    opcode = word & 0x7F
    name = NAMES[opcode](word) if opcode in NAMES else None
    if opcode in DISTANCES:
        return Insn(name, DISTANCES[opcode](word) // 4, word=word)
    return Insn(name, word=word)


def code(path: Path) -> Iterator[list[Insn]]:
    """Yield the executable sections of an ELF file, decoded."""
    data = path.read_bytes()
    (table,) = struct.unpack_from("<I", data, 32)
    size, count = struct.unpack_from("<HH", data, 46)
    for i in range(count):
        _, kind, flags, _, offset, length = struct.unpack_from(
            "<6I", data, table + size * i
        )
        if kind == 1 and flags & 4:  # SHT_PROGBITS, SHF_EXECINSTR
            words = struct.unpack_from(f"<{length // 4}I", data, offset)
            yield [decode(word) for word in words]


def weigh(section: list[Insn]) -> None:
    """Give every instruction the weight of the loops that it stands in."""
    depth = [0] * len(section)
    for i, insn in enumerate(section):
        if insn.target is not None and -500 < insn.target < 0:
            for k in range(max(i + insn.target, 0), i + 1):
                depth[k] += 1
    for insn, deep in zip(section, depth, strict=True):
        insn.weight = LOOP ** min(deep, DEEPEST)


def straight_lines(section: list[Insn]) -> Iterator[list[Insn]]:
    """Cut where control may come in or go out for good."""
    starts = {0}
    for i, insn in enumerate(section):
        if insn.target is not None:
            starts.add(i + insn.target)
        if insn.op is None or insn.op in ("j", "jalr"):
            starts.add(i + 1)
    line: list[Insn] = []
    for i, insn in enumerate(section):
        if i in starts and line:
            yield line
            line = []
        line.append(insn)
    if line:
        yield line


def usable(names: Sequence) -> bool:
    """Whether only the last of them may leave the straight line."""
    return all(names) and not any(name in LEAVES for name in names[:-1])


def candidates(line: list[Insn], at: int) -> Iterator[Sequence]:
    """Yield what could be a sequence here, the longest first."""
    for length in range(LONGEST, 1, -1):
        names = tuple(insn.op or "" for insn in line[at : at + length])
        if len(names) == length and usable(names):
            yield names


def choose(lines: list[list[Insn]]) -> list[Sequence]:
    """Return the sequences that are worth most."""
    chosen: dict[Sequence, None] = {}
    for _ in range(SEQUENCES):
        saved: Counter[Sequence] = Counter()
        for line in lines:
            at = 0
            while at < len(line):
                taken = 1
                for names in candidates(line, at):
                    if names in chosen:
                        taken = max(taken, len(names))
                    elif len(names) > taken:
                        gain = len(names) - taken
                        saved[names] += gain * line[at].weight
                at += taken
        if not saved:
            break
        chosen[max(saved, key=lambda names: (saved[names], names))] = None
    return list(chosen)


def loop_at(section: list[Insn], end: int) -> Loop | None:
    """Return the loop that this instruction closes, if it is of our kind."""
    last = section[end]
    start = end + (last.target or 0)
    if last.op not in BRANCHES.values() or not 0 <= start < end:
        return None
    body = section[start : end + 1]
    names = tuple(insn.op or "" for insn in body)
    if len(body) > LONGEST_LOOP or not usable(names):
        return None
    if not all(name in FIELDS for name in names):
        return None
    letter: dict[int, str] = {}
    letters: list[str] = []
    for register in (r for insn in body for r in insn.registers()):
        if register is None:
            letters.append("")
        else:
            letters.append(letter.setdefault(register, LETTERS[len(letter)]))
    return Loop(names, tuple(letters))


def choose_loops(images: list[list[list[Insn]]]) -> list[Loop]:
    """Return the shapes of loop that most images have."""
    images_with: Counter[Loop] = Counter()
    for sections in images:
        images_with.update(
            {
                loop
                for section in sections
                for end in range(len(section))
                if (loop := loop_at(section, end))
            }
        )
    ranked = sorted(
        images_with, key=lambda loop: (-images_with[loop], loop.names)
    )
    return ranked[:LOOPS]


def order(loops: list[Loop]) -> list[Loop]:
    """Return loops in the order that the decoder expects."""
    return sorted(loops, key=lambda loop: (loop.names, loop.letters))


def written(loop: Loop) -> list[str]:
    """Return the letters that the loop changes."""
    return sorted({letter for letter in loop.letters[::3] if letter})


def print_loop(number: int, loop: Loop) -> None:
    """Print the row of a loop."""
    name = f"loop{number}_{'_'.join(loop.names)}"
    indices = [
        str(LETTERS.index(letter) + 1 if letter else 0)
        for letter in loop.letters
    ]
    keep = [
        f"KEEP({letter}, {at // 3}, {('rd', 'rs1', 'rs2')[at % 3]})"
        for at, letter in enumerate(loop.letters)
        if letter and letter not in loop.letters[:at]
    ]
    keep += [
        f"KEEP_IMM({k})"
        for k, op_name in enumerate(loop.names)
        if kind_of(op_name) in IMMEDIATE_KINDS
    ]
    body = []
    for k, op_name in enumerate(loop.names):
        used = [f for f in loop.letters[3 * k : 3 * k + 3] if f]
        body.append(
            f"{kind_of(op_name)}({', '.join([str(k), op_name, *used])})"
        )
    save = []
    for letter in written(loop):
        k = loop.letters[::3].index(letter)
        save.append(f"SAVE({letter}, {k})")
    codes = ", ".join(f"OP_{op_name}" for op_name in loop.names)
    print(f"LOOP_OF({name}, ({codes}),")
    print(f"        ({', '.join(indices)}),")
    for part in (keep, body, save):
        print(f"        {' '.join(part)}{')' if part is save else ','}")


def kind_of(name: str) -> str:
    """Return the macro of fast_loop.def for an operation in a loop."""
    if name in LOADS.values():
        return "LOOP_LOAD"
    if name in STORES.values():
        return "LOOP_STORE"
    if name in BRANCHES.values():
        return "LOOP_AGAIN"
    if name in (*IMMEDIATE, "srai"):
        return "LOOP_IMM"
    return {"mv": "LOOP_MV", "li": "LOOP_LI"}.get(name, "LOOP_REG")


def step(k: int, name: str) -> str:
    """Return how fast_loop.def does operation k of a sequence."""
    if name == "j":
        return f"TAKE({k});"
    if name == "jalr":
        return f"GO({k}, jalr);"
    if name in LEAVES:
        return f"BRANCH_IF({k}, {name})"
    return f"AUIPC({k})" if name == "auipc" else f"DO({k}, {name})"


def main(paths: list[str]) -> None:
    """Print the list for these images."""
    images = [list(code(Path(path))) for path in paths]
    lines: list[list[Insn]] = []
    for section in (section for image in images for section in image):
        weigh(section)
        lines += straight_lines(section)
    print(HEADING)
    for number, loop in enumerate(order(choose_loops(images))):
        print_loop(number, loop)
    for names in sorted(choose(lines), key=lambda n: (n[0], -len(n), n)):
        steps = [step(k, name) for k, name in enumerate(names)]
        if names[-1] not in ("j", "jalr"):
            steps.append(f"NEXT({len(names)});")
        codes = ", ".join(f"OP_{name}" for name in names)
        print(f"FUSED({'_'.join(names)}, ({codes}),")
        print(f"      {' '.join(steps)})")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Hypervisor programs as text: to read, to edit, to keep in a bug report.

::

    hvp 1
    flags twin unfenced
    world vms=1 memory=0 harts=0 first=0 others=1 sync=0 policy=0 overcommit=0
    features base paging
    seed 7
    build
      vm0.0 kernel map slot=live:3 gfn=live:1 rights=207  # slot a of its ...
    run
      vm1.0 user   load gva=stale:0 size=4

What follows a ``#`` is for people. ``live``, ``stale`` and ``edge`` are forms
of operands (operands.def); a number alone is a literal. ``vms`` is one less
than there are, as in the header.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from hv.errors import UsageError
from hv.fuzz import ops
from hv.fuzz.format import WORLD, Form, Program, Record, operand

_FORMS = {"live": Form.LIVE, "stale": Form.STALE, "edge": Form.EDGE}
_NAMES = {form: name for name, form in _FORMS.items()}
_ACTOR = re.compile(r"vm([0-3])\.([0-3])$")
_PARTS = ("build", "vary", "run")


def render(
    program: Program,
    *,
    explain: bool = True,
    notes: dict[int, str] | None = None,
) -> str:
    """Return a program as text, which :func:`parse` reads.

    :param explain: say what each operation does.
    :param notes: more to say of single records, by index; after ``<--``.
    """
    notes = notes or {}
    world = " ".join(
        f"{name}={program.world >> low & (1 << width) - 1}"
        for name, low, width in WORLD
    )
    lines = [
        "hvp 1",
        " ".join(["flags", *_set(program.flags, ops.flags())]),
        f"world {world}",
        " ".join(["features", *_set(program.features, ops.features())]),
        f"seed {program.seed}",
    ]
    index = 0
    for part in _PARTS:
        records: tuple[Record, ...] = getattr(program, part)
        if not records and part != "run":
            continue
        lines.append(part)
        for record in records:
            lines.append(_line(record, notes.get(index, ""), explain=explain))
            index += 1
    return "\n".join(lines) + "\n"


def _set(bits: int, names: dict[str, int]) -> list[str]:
    known = [name for name, bit in names.items() if bits & bit]
    rest = bits & ~sum(names.values())
    return [*known, *([f"{rest:#x}"] if rest else [])]


def _line(record: Record, note: str, *, explain: bool) -> str:
    words = [
        f"  vm{record.vm}.{record.vcpu} {_mode(record):6} {record.row.name}",
        *_operands(record),
    ]
    if record.actor >> 5:
        words.append(f"x={record.actor >> 5}")
    line = " ".join(words)
    if note:
        return f"{line}  # <-- {note}"
    return f"{line:47} # {_doc(record)}" if explain else line


def _mode(record: Record) -> str:
    return "kernel" if record.kernel else "user"


def _doc(record: Record) -> str:
    if record.row.injects:
        return _disassemble(record.insn)
    return record.row.doc


def _disassemble(word: int) -> str:
    import capstone  # noqa: PLC0415 -- lazily

    reader = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32)
    found = next(reader.disasm_lite(word.to_bytes(4, "little"), 0), None)
    return f"{found[2]} {found[3]}".strip() if found else "no instruction"


def _operands(record: Record) -> Iterator[str]:
    for i, kind in enumerate(record.row.operands):
        value = record.args[i]
        if kind == "INSN":
            if i == 1:
                yield f"insn={record.insn:#010x}"
        elif kind:
            yield f"{kind.lower()}={_value(value)}"
        elif value:  # not looked at; kept, for the text to mean the same bytes
            yield f"{'abc'[i]}={_value(value)}"


def _value(value: int) -> str:
    form = Form(value >> 14)
    number = value & 0x3FFF
    return f"{_NAMES[form]}:{number}" if form in _NAMES else str(number)


# ---- and back ---------------------------------------------------------------


def parse(text: str) -> Program:
    """Return the program that a text describes.

    :raises UsageError: if it describes none; the message has the line.
    """
    head = {"flags": 0, "world": 0, "features": 0, "seed": 0}
    parts: dict[str, list[Record]] = {name: [] for name in _PARTS}
    part: list[Record] | None = None
    started = False
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            if not started:
                _first(words)
                started = True
            elif words[0] in parts and len(words) == 1:
                part = parts[words[0]]
            elif part is not None:
                part.append(_record(words))
            else:
                head |= _head(words)
        except (ValueError, UsageError) as error:
            raise UsageError(f"line {number}: {error}") from None
    if not started:
        raise UsageError("line 1: a program begins with `hvp 1`")
    build, vary, run = (tuple(parts[name]) for name in _PARTS)
    return Program(build=build, vary=vary, run=run, **head)


def _first(words: Sequence[str]) -> None:
    if words != ["hvp", "1"]:
        raise UsageError("a program begins with `hvp 1`")


def _head(words: Sequence[str]) -> dict[str, int]:
    key, *rest = words
    match key:
        case "flags":
            return {key: _unset(rest, ops.flags())}
        case "features":
            return {key: _unset(rest, ops.features())}
        case "world":
            return {key: _world(rest)}
        case "seed" if len(rest) == 1:
            return {key: _number(rest[0], 0xFFFF)}
    raise UsageError(f"{key!r}: expected flags, world, features, seed or run")


def _number(word: str, limit: int) -> int:
    try:
        value = int(word, 0)
    except ValueError:
        raise UsageError(f"{word!r} is no number") from None
    if not 0 <= value <= limit:
        raise UsageError(f"{word} is not in 0..{limit}")
    return value


def _unset(words: Iterable[str], names: dict[str, int]) -> int:
    bits = 0
    for word in words:
        if word in names:
            bits |= names[word]
        elif word[0].isdigit():
            bits |= _number(word, 0xFFFF)
        else:
            raise UsageError(f"{word!r}: expected {', '.join(names)}")
    return bits


def _world(words: Iterable[str]) -> int:
    fields = {name: (low, width) for name, low, width in WORLD}
    bits = 0
    for word in words:
        name, _, value = word.partition("=")
        if name not in fields:
            raise UsageError(f"{name!r}: expected {', '.join(fields)}")
        low, width = fields[name]
        bits |= _number(value, (1 << width) - 1) << low
    return bits


def _record(words: Sequence[str]) -> Record:
    if len(words) < 3:
        raise UsageError("expected `vm0.0 kernel OPERATION OPERANDS...`")
    actor = _ACTOR.match(words[0])
    if not actor or words[1] not in ("kernel", "user"):
        raise UsageError("expected `vm0.0 kernel` or `vm3.3 user`, or between")
    bits = int(actor[1]) | int(actor[2]) << 2 | 16 * (words[1] == "kernel")
    row = ops.by_name().get(words[2])
    if row is None:
        raise UsageError(f"no operation {words[2]!r}")
    args, extra = _arguments(row, words[3:])
    return Record(row.number, bits | extra << 5, args)


def _arguments(
    row: ops.Op, words: Sequence[str]
) -> tuple[tuple[int, int, int], int]:
    args, extra = [0, 0, 0], 0
    missing = [i for i, kind in enumerate(row.operands) if kind]
    for word in words:
        name, _, value = word.partition("=")
        if name == "x":
            extra = _number(value, 7)
        elif name == "insn" and row.injects:
            whole = _number(value, 0xFFFFFFFF)
            args[1:] = [whole & 0xFFFF, whole >> 16]
            missing = [i for i in missing if i == 0]
        elif missing and name == row.operands[missing[0]].lower():
            args[missing.pop(0)] = _argument(value)
        elif name in ("a", "b", "c") and not row.operands["abc".index(name)]:
            args["abc".index(name)] = _argument(value)
        else:
            raise UsageError(f"{row.name} has no operand {name!r} here")
    if missing:
        raise UsageError(
            f"{row.name} lacks {row.operands[missing[0]].lower()}=..."
        )
    return (args[0], args[1], args[2]), extra


def _argument(word: str) -> int:
    form, colon, number = word.rpartition(":")
    if not colon:
        return operand(Form.LITERAL, _number(number, 0x3FFF))
    if form not in _FORMS:
        raise UsageError(f"{form!r}: expected {', '.join(_FORMS)}")
    return operand(_FORMS[form], _number(number, 0x3FFF))

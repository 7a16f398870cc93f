"""Write what is generated from csrc/abi: hv/abi.py and the reference page.

The table of hypercalls is one file, hypercalls.def, that C and guest assembly
include. Python and the book get theirs from here::

    python tools/gen_abi.py          write both files
    python tools/gen_abi.py --check  exit 1 if they are not what it would write
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ABI = ROOT / "csrc" / "abi"
ROW = re.compile(
    r"HYPERCALL\(\s*(\d+),\s*(\w+),\s*(\d+),\s*(\d+),"
    r'\s*"([^"]*)",\s*((?:"[^"]*"\s*)+)\)'
)
SOURCE = "made by tools/gen_abi.py from csrc/abi; do not edit"


@dataclass(frozen=True, slots=True)
class Call:
    """One row of hypercalls.def."""

    number: int
    name: str
    args: list[str]
    since: int
    meaning: str


def calls(text: str) -> list[Call]:
    """Read the rows of hypercalls.def.

    :raises ValueError: a row is malformed, or a number or a name is used twice.
    """
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = []
    for number, name, nargs, since, args, parts in ROW.findall(text):
        call = Call(
            int(number),
            name,
            [a.strip() for a in args.split(",") if a.strip()],
            int(since),
            "".join(re.findall(r'"([^"]*)"', parts)),
        )
        if len(call.args) != int(nargs):
            raise ValueError(f"{name}: {nargs} arguments, but named: {args!r}")
        found.append(call)
    if len(found) != text.count("HYPERCALL("):
        raise ValueError("hypercalls.def: a row is not of the documented form")
    for what in ("number", "name"):
        if len({getattr(c, what) for c in found}) != len(found):
            raise ValueError(f"hypercalls.def: a {what} is used twice")
    return found


def constants(text: str, prefix: str) -> list[tuple[str, int]]:
    """Return the plain numbers whose names begin with prefix."""
    rows = re.findall(rf"#define {prefix}(\w+) +(-?\w+)", text)
    return [(name, int(value, 0)) for name, value in rows]


def python() -> str:
    """Return the text of hv/abi.py."""
    lines = [
        '"""Numbers of the binary interface.',
        "",
        f"{SOURCE.capitalize()}.",
        '"""',
        "",
        "from enum import IntEnum",
        "",
        "",
        "class Hypercall(IntEnum):",
        '    """hv\'s own calls: the number in a6."""',
        "",
    ]
    lines += [
        f"    {call.name.upper()} = {call.number}"
        for call in calls((ABI / "hypercalls.def").read_text())
    ]
    lines += [
        "",
        "",
        "class SbiError(IntEnum):",
        '    """What a call answers in a0."""',
        "",
        "    SUCCESS = 0",
    ]
    sbi = (ABI / "sbi.h").read_text()
    lines += [f"    {name} = {n}" for name, n in constants(sbi, "SBI_ERR_")]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the text of the reference page."""
    sbi = dict(constants((ABI / "sbi.h").read_text(), "SBI_EXT_"))
    lines = [
        f"<!-- {SOURCE} -->",
        "",
        "# Hypercalls",
        "",
        "A paravirtual kernel calls the hypervisor as any RISC-V kernel calls",
        "its firmware: by the SBI calling convention.",
        "",
        f"- `a7` is the extension, `{sbi['HV']:#010x}`; `a6` is the number of",
        "  the call; its arguments are in `a0` to `a5`.",
        "- The error comes back in `a0` (0, or one of the SBI's negative error",
        "  codes), a value in `a1`. Every other register keeps its value.",
        "- An address argument is guest-physical, unless it is called *gva*.",
        "- A call that returns an error has changed nothing.",
        "- One that takes long lets others have their turn: the `ecall` is",
        "  executed several times before it returns, interrupts are delivered",
        "  between, and `a0` and `a1` may say meanwhile what is left to do.",
        "  Who changes a list before its call has returned cannot tell which",
        "  of it is served.",
        "- Only the guest's kernel may call. An `ecall` from its user mode is",
        "  the guest's own system call, and is given to the guest's kernel.",
        "",
        "Numbers are for ever: a call may be retired, its number is not used",
        "again. The `features` call tells which version a hypervisor speaks.",
        "",
        "| number | call | since version | meaning |",
        "|---:|---|---:|---|",
    ]
    lines += [
        f"| {c.number} | `{c.name}({', '.join(c.args)})` | {c.since} "
        f"| {c.meaning} |"
        for c in calls((ABI / "hypercalls.def").read_text())
    ]
    return "\n".join(lines) + "\n"


def main(args: list[str]) -> int:
    """Write or check the generated files; return an exit status."""
    targets = {
        ROOT / "hv" / "abi.py": python(),
        ROOT / "docs" / "reference" / "hypercalls.md": page(),
    }
    stale = [
        path
        for path, text in targets.items()
        if not path.exists() or path.read_text() != text
    ]
    for path in stale:
        if args != ["--check"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(targets[path])
        print(f"{path.relative_to(ROOT)}: not what csrc/abi says")
    return int(bool(stale) and args == ["--check"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Make small mistakes at random in csrc/hyp, and see whether they are found.

    python tools/mutate.py [--count 60] [--seed 1] [--file hyp/walk.c]...

Each mutant differs from the source in one token, operand, condition or
statement. It is compiled (only the file that it is in) and judged by
tests/mutation/battery.py, until something is found. One that takes three
times the processor time of the good core counts as found: it hangs. Survivors
are printed, and all results are written to build/mutation/result.jsonl;
tests/mutation/equivalent.toml says of survivors why no test can find them.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from resource import RLIMIT_CPU, RUSAGE_CHILDREN, getrusage, setrlimit
from signal import SIGKILL, SIGXCPU

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))

from hv.zoo.builder import FAST, BuildError  # noqa: E402
from tests.equivalence.core import sources  # noqa: E402
from tests.leaf.leaflib import CHECKS, SUBJECT, harnesses, library  # noqa: E402
from tests.robust.alloc import alloc_library  # noqa: E402

RESULT = ROOT / "build" / "mutation" / "result.jsonl"
EQUIVALENT = ROOT / "tests" / "mutation" / "equivalent.toml"
FOR_EVER = 3600  # seconds
AIM = 90  # percent of those not argued equivalent

# What swaps two arguments of different types is no mutant but a typing error.
STRICT = ("-Werror=int-conversion", "-Werror=incompatible-pointer-types")
SWAPS = {
    "==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">",
    "&&": "||", "||": "&&", "+": "-", "-": "+", "&": "|", "|": "&",
    "<<": ">>", ">>": "<<", "+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=",
    "++": "--", "--": "++", "true": "false", "false": "true",
}  # fmt: skip
TOKEN = re.compile(
    r"(?P<swap> (?:==|!=|<=|>=|<<|>>|&&|\|\||[+|&-]=|[<>+|&-]) )"
    r"|(?P<step>\+\+|--)"
    r"|(?P<word>\b(?:true|false)\b)"
    r"|(?P<number>(?<![\w.])(?:0x[0-9a-f]+|\d+)(?![\w.]))"
)
# An assignment or a call that is a line, after the end of another statement.
STATEMENT = re.compile(
    r"(?:(?<=[;{}:)]\n)|(?<=\n\n))( +)"
    r"([a-z_]\w*(?:(?:->|\.)\w+|\[[^]\n]*\])*(?: [-+|&]?= |\+\+|\()"
    r"[^;{}\n]*;)[^\n]*$",
    re.MULTILINE,
)
CONDITION = re.compile(r"\b(if|while) \(((?:[^()\n]|\([^()\n]*\))+)\)")
ARGUMENTS = re.compile(r"\b(\w+)\((\w+(?:->\w+)?), (\w+(?:->\w+)?)")


@dataclass(frozen=True)
class Mutant:
    """One mistake: `text` at `at` in a file became `instead`."""

    file: str
    at: int
    line: int
    kind: str
    text: str
    instead: str
    whole: str  # the line as it was

    def key(self) -> tuple[str, str, str, str]:
        """Return what a record of equivalent.toml names it by."""
        return (self.file, self.whole, self.text, self.instead)


NO_CODE = re.compile(
    r"/\*[\s\S]*?\*/"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|^#(?:.*\\\n)*.*$"
    r"|\bHV_ASSERT\([^;]*;"
    r"|\bhal_charge\([^;]*;"  # what work costs is a table's: tests/memory
    r"|\btrace\([^;]*;"
    r"|\[[A-Za-z_]\w*\] = ",  # the index of a table is a name
    re.MULTILINE,
)


def blank(text: str) -> str:
    """Return C with spaces for comments, strings, directives and assertions."""
    return NO_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


Change = tuple[int, str, str, str]  # where, of which kind, from what to what


def tokens(text: str, begin: int) -> Iterator[Change]:
    """Yield operators and numbers that are others."""
    for match in TOKEN.finditer(text):
        at, old = match.start(), match[0]
        if match.lastgroup == "number":
            value = int(old, 0)
            for other in (value + 1, value - 1):
                if other >= 0:
                    yield at, "number", old, str(other)
        elif at > begin:
            new = SWAPS[old.strip()]
            yield at, "operator", old, old.replace(old.strip(), new)


def pieces(text: str, begin: int) -> Iterator[Change]:
    """Yield statements that are missing, conditions and calls turned round."""
    for match in STATEMENT.finditer(text, max(begin, 0)):
        yield match.start(2), "statement", match[2], ";"
    for match in CONDITION.finditer(text):
        new = f"{match[1]} (!({match[2]}))"
        yield match.start(), "condition", match[0], new
    for match in ARGUMENTS.finditer(text):
        if match[2] != match[3]:
            new = f"{match[1]}({match[3]}, {match[2]}"
            yield match.start(), "arguments", match[0], new


def mutants(file: str, source: str) -> Iterator[Mutant]:
    """Yield all mistakes that can be made in a file."""
    text, rows = blank(source), source.splitlines()
    begin = text.find("\n{")  # what is before the first function is data
    for change in (*tokens(text, begin), *pieces(text, begin)):
        line = source.count("\n", 0, change[0]) + 1
        at, kind, old, new = change
        yield Mutant(file, at, line, kind, old, new, rows[line - 1].strip())


def chosen(
    files: dict[str, str], only: list[str], count: int, seed: int
) -> list[Mutant]:
    """Return a sample, the same for the same seed; the audit is the judge."""
    every = [
        mutant
        for name, text in files.items()
        if name.startswith("hyp/")
        if not only or name in only
        for mutant in mutants(name, text)
    ]
    return random.Random(seed).sample(every, min(count, len(every)))


def leaf_checks(file: str, files: dict[str, str]) -> list[str]:
    """Return what the battery is to do with the harnesses of this file."""
    names = [n for n, t in harnesses().items() if file in SUBJECT.findall(t)]
    if not names:
        return []
    path = library(files)
    text = "".join(harnesses()[name] for name in names)
    return [f"{c}={path}" for c in CHECKS if f"bool leaf_{c}(" in text]


def battery(files: dict[str, str], file: str, limit: int) -> str:
    """Return what found a core out; '' if nothing did.

    :param limit: seconds of processor time.
    """
    command = [
        *(sys.executable, "-m", "tests.mutation.battery"),
        str(alloc_library(files, {file: STRICT}, FAST)),
        *leaf_checks(file, files),
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: setrlimit(RLIMIT_CPU, (limit, limit)),
    )
    if done.returncode == 0:
        return ""
    if done.returncode in (-SIGXCPU, -SIGKILL):
        return "it hangs"
    return done.stdout.strip() or f"it crashes: {done.stderr[-100:]!r}"


def judge(mutant: Mutant, files: dict[str, str], limit: int) -> str | None:
    """Return what found a mutant; None if it does not compile."""
    text = files[mutant.file]
    end = mutant.at + len(mutant.text)
    changed = text[: mutant.at] + mutant.instead + text[end:]
    try:
        return battery(files | {mutant.file: changed}, mutant.file, limit)
    except BuildError:
        return None


def equivalent() -> dict[tuple[str, str, str, str], str]:
    """Return the reasons for survivors that no test can find."""
    records = tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])
    return {
        (r["file"], r["line"], r["text"], r["instead"]): r["reason"]
        for r in records
    }


def main() -> int:
    """Make them, judge them, and say how many were found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--check", action="store_true", help="fail below aims")
    args = parser.parse_args()
    files, reasons = sources(), equivalent()
    sample = chosen(files, args.file, args.count, args.seed)
    said = battery(files, "hyp/walk.c", FOR_EVER)
    if said:
        raise SystemExit(f"the good core is found out: {said}")
    used = getrusage(RUSAGE_CHILDREN)
    limit = 3 * round(used.ru_utime + used.ru_stime) + 1
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    found = argued = survived = 0
    with RESULT.open("w") as out:
        out.write(json.dumps({"seed": args.seed, "count": args.count}) + "\n")
        for mutant in sample:
            by = "argued" if mutant.key() in reasons else None
            by = by or judge(mutant, files, limit)
            out.write(json.dumps({**asdict(mutant), "by": by}) + "\n")
            out.flush()
            argued += by == "argued"
            found += by not in {None, "", "argued"}
            survived += by == ""
            if by == "":
                print(
                    f"{mutant.file}:{mutant.line}: {mutant.kind}: "
                    f"{mutant.text!r} became {mutant.instead!r} in\n"
                    f"    {mutant.whole}",
                    flush=True,
                )
    judged = found + survived
    rate = 100 * found / judged if judged else 100.0
    print(
        f"seed {args.seed}: {judged} mutants judged, {found} found "
        f"({rate:.1f} %), {argued} argued equivalent"
    )
    return int(args.check and rate < AIM)


if __name__ == "__main__":
    sys.exit(main())

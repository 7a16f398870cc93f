"""Make small mistakes at random in csrc/hyp, and see whether they are found.

    python tools/mutate.py [--count 60] [--seed 1] [--file hyp/walk.c]...

Each mutant differs from the source in one token, operand, condition or
statement. It is compiled (only the file that it is in; who does not compile
does not count) and judged by tests/mutation/battery.py, in a process of its
own, until something is found. One that takes twice the processor time of
the good core counts as found: it hangs. Survivors are printed, and all
results are written to build/mutation/result.jsonl, whence `--resume` goes on;
tests/mutation/equivalent.toml says of survivors why no test can find them.
"""

import argparse
import json
import os
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from itertools import islice, product
from multiprocessing import get_context
from pathlib import Path
from resource import RLIMIT_CPU, RUSAGE_CHILDREN, getrusage, setrlimit
from signal import SIGKILL, SIGXCPU

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))

from hv.zoo.builder import FAST, BuildError  # noqa: E402
from tests.equivalence.core import sources  # noqa: E402
from tests.mutation.battery import Suspect, found_by  # noqa: E402
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
FUNCTION = re.compile(r"^[a-z][^;{}=\n]*?(\w+)\([^;{}]*\)\n\{", re.MULTILINE)
CONDITION = re.compile(r"\b(if|while) \(((?:[^()\n]|\([^()\n]*\))+)\)")
ARGUMENTS = re.compile(r"\b(\w+)\((\w+(?:->\w+)?), (\w+(?:->\w+)?)")


Key = tuple[str, int, str, str, str, str]


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
    function: str  # that it is in
    nth: int  # of these texts in the line, from 1

    def named(self) -> tuple[str, str, str, str]:
        """Return what it is, in whichever line that looks like this one."""
        return (self.file, self.whole, self.text, self.instead)

    def keys(self) -> Iterator[Key]:
        """Yield what a record of equivalent.toml may name it by."""
        for function, nth in product(("", self.function), (0, self.nth)):
            yield (function, nth, *self.named())


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
        row = rows[line - 1]
        nth = source[source.rfind("\n", 0, at) + 1 : at].count(old) + 1
        inside = FUNCTION.findall(source, 0, at)[-1:]
        yield Mutant(
            *(file, at, line, kind, old, new),
            *(row.strip(), "".join(inside), nth),
        )


def drawn(files: dict[str, str], only: list[str], seed: int) -> list[Mutant]:
    """Return all mutants in an order that the seed says.

    It is one of the mutants themselves: where the code changes, those that are
    not touched keep their places, and a sample stays what it was.

    The audit is left alone: it is the judge.
    """

    def place(mutant: Mutant) -> bytes:
        names = [seed, mutant.function, mutant.nth, *mutant.named()]
        return sha256(repr(names).encode()).digest()

    every = [
        mutant
        for name, text in files.items()
        if name.startswith("hyp/")
        if not only or name in only
        for mutant in mutants(name, text)
    ]
    return sorted(every, key=place)


def battery(files: dict[str, str], file: str, limit: int) -> str:
    """Return what found a core out; '' if nothing did.

    :param limit: seconds of processor time.
    """
    library = alloc_library(files, {file: STRICT}, FAST)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        setrlimit(RLIMIT_CPU, (limit, limit))
        try:
            said = found_by(Suspect(library, files, file))
        except BaseException as error:  # noqa: BLE001 -- it may be anything
            said = f"it crashes: {error!r}"
        os.write(writer, said.encode()[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status in (-SIGXCPU, -SIGKILL):
        return "it hangs"
    return said if status == 0 else f"it crashes: signal {-status}"


def judge(mutant: Mutant, files: dict[str, str], limit: int) -> str | None:
    """Return what found a mutant; None if it does not compile."""
    text = files[mutant.file]
    end = mutant.at + len(mutant.text)
    changed = text[: mutant.at] + mutant.instead + text[end:]
    try:
        return battery(files | {mutant.file: changed}, mutant.file, limit)
    except BuildError:
        return None


def equivalent() -> dict[Key, str]:
    """Return the reasons for survivors that no test can find."""
    records = tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])
    names = ("file", "line", "text", "instead")
    return {
        (r.get("function", ""), r.get("nth", 0), *(r[n] for n in names)): r[
            "reason"
        ]
        for r in records
    }


def interrupted(header: dict[str, object]) -> list[dict[str, object]]:
    """Return the results of a run like this one that was interrupted."""
    lines = RESULT.read_text().splitlines() if RESULT.exists() else []
    rows = [json.loads(line) for line in lines]
    return rows[1:] if rows[:1] == [header] else []


def show(row: dict[str, object]) -> None:
    """Print a survivor."""
    print(
        f"{row['file']}:{row['line']}: {row['kind']}: "
        f"{row['text']!r} became {row['instead']!r} in\n    {row['whole']}",
        flush=True,
    )


def run(args: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Judge as many as were asked for; yield what came of each."""
    files, reasons = sources(), equivalent()
    header = {"seed": args.seed, "file": args.file}
    before = interrupted(header) if args.resume else []
    said = battery(files, "hyp/walk.c", FOR_EVER)
    if said:
        raise SystemExit(f"the good core is found out: {said}")
    used = getrusage(RUSAGE_CHILDREN)
    limit = 2 * round(used.ru_utime + used.ru_stime) + 1
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    was = {(r["file"], r["at"], r["instead"]): r["by"] for r in before}
    known: dict[Mutant, str] = {}
    order = drawn(files, args.file, args.seed)
    for mutant in order:
        by = was.get((mutant.file, mutant.at, mutant.instead))
        if not reasons.keys().isdisjoint(mutant.keys()):
            known[mutant] = "argued"
        elif by is not None and not (by == "" and args.again):
            known[mutant] = str(by)
    ask = partial(judge, files=files, limit=limit)
    with RESULT.open("w") as out:
        out.write(json.dumps(header) + "\n")
        for mutant, by in judged(order, known, ask, args.count, args.jobs):
            row = asdict(mutant) | {"by": by}
            out.write(json.dumps(row) + "\n")
            out.flush()
            yield row


def judged(
    order: list[Mutant],
    known: dict[Mutant, str],
    ask: Callable[[Mutant], str | None],
    count: int,
    jobs: int,
) -> Iterator[tuple[Mutant, str | None]]:
    """Yield mutants and what came of each, until `count` have a verdict.

    As many are begun as are still missing, `jobs` at a time.
    """
    todo = iter(order)
    with get_context("fork").Pool(jobs) as pool:
        while batch := list(islice(todo, count)):
            asked = pool.imap(ask, [m for m in batch if m not in known])
            for mutant in batch:
                by = known[mutant] if mutant in known else next(asked)
                yield mutant, by
                count -= by is not None


def main() -> int:
    """Make them, judge them, and say how many were found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--jobs", type=int, default=len(os.sched_getaffinity(0))
    )
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--check", action="store_true", help="fail below aims")
    parser.add_argument("--resume", action="store_true", help="go on")
    parser.add_argument(
        "--again", action="store_true", help="judge survivors once more"
    )
    by: Counter[str] = Counter()
    survivors = []
    args = parser.parse_args()
    for row in run(args):
        if row["by"] is None:
            continue
        by[str(row["by"]).partition(":")[0]] += 1
        if row["by"] == "":
            survivors.append(row)
            show(row)
    argued, survived = by.pop("argued", 0), by.pop("", 0)
    found = by.total()
    judged = found + survived
    print("\nfound by " + ", ".join(f"{k}: {n}" for k, n in by.most_common()))
    print(f"\nsurvivors, by file ({survived}):")
    for row in sorted(survivors, key=lambda row: (row["file"], row["line"])):
        show(row)
    rate = 100 * found / judged if judged else 100.0
    print(
        f"seed {args.seed}: {judged} mutants judged, {found} found "
        f"({rate:.1f} %), {argued} argued equivalent"
    )
    return int(args.check and rate < AIM)


if __name__ == "__main__":
    sys.exit(main())

"""Check that every floor of hv stands on the floors below it, and on no other.

Each check is a function that yields one sentence per problem. Run as a
program, it runs them all and prints a line for each::

    python tools/check_floors.py

The picture is in the README; the reasons are in CONTRIBUTING.
"""

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hv.guestcc import find_compiler

ROOT = Path(__file__).resolve().parent.parent

# What may be included, by floor of csrc/. `machine` and `hyp` never see each
# other: only a port, and the API above both, knows that both exist.
INCLUDES = {
    "abi": {"abi"},
    "sched": {"sched", "hyp", "dev", "abi"},
    "include": {"include"},
    "dev": {"dev", "abi"},
    "machine": {"machine", "dev", "abi"},
    "hyp": {"hyp", "sched", "dev", "abi"},
    "audit": {"audit", "hyp", "sched", "dev", "abi"},
    "port": {"port", "hyp", "sched", "machine", "dev", "abi"},
    "api": {"api", "audit", "port", "hyp", "sched", "machine", "dev", "abi"}
    | {"include"},
    "hvp": {"hvp", "api", "port", "hyp", "sched", "machine", "dev", "abi"}
    | {"include"},
}

# Headers that need no C library. The other floors run on a host that has one.
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h"}
NO_LIBC = {"abi", "include", "dev", "hyp", "sched", "audit"}

# The modules of hv that may touch the C core; everybody else uses `import hv`.
NATIVE = {"hv._native", "hv.core"}
OUTSIDE = ["labs", "docs", "tests"]
# ... but for the test that compares C's declarations with Python's.
INSIDERS = {"tests/control/test_native.py"}
# Run before hv can be imported: to build it, and to build its guests.
ALONE = ["hv/_build.py", "hv/guestcc.py"]

HYP_LINES = 5500

WARN = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wundef", "-Wvla"]


def without_comments(text: str) -> str:
    """Return C text without its comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)


def included(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield what a C or assembly file includes, and whether in brackets."""
    text = without_comments(path.read_text(encoding="utf-8"))
    for line in re.findall(r"^\s*#\s*include\s*(.*)$", text, re.MULTILINE):
        name = re.match(r'["<]([^">]+)[">]', line)
        yield (name[1], line[0] == "<") if name else (line, False)


def c_files(folder: Path) -> list[Path]:
    """Return the C, header and assembly files under a folder."""
    kinds = {".c", ".h", ".S", ".def", ".ld"}
    return sorted(p for p in folder.rglob("*") if p.suffix in kinds)


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command and keep what it says."""
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False
    )


def include_floors(root: Path = ROOT) -> Iterator[str]:
    """An include in csrc/ goes down, never up."""
    for path in c_files(root / "csrc"):
        floor = path.relative_to(root / "csrc").parts[0]
        for name, system in included(path):
            where = f"{path.relative_to(root)} includes {name}"
            if system:
                if floor in NO_LIBC and name not in FREESTANDING:
                    yield f"{where}: {floor} must do without a C library"
                continue
            below = name.split("/")[0]
            if "/" not in name:
                yield f"{where}: name it from csrc/, as in {floor}/{name}"
            elif below not in INCLUDES.get(floor, set()):
                allowed = ", ".join(sorted(INCLUDES.get(floor, set())))
                yield f"{where}: {floor} may see only {allowed or 'nothing'}"
            elif not (root / "csrc" / name).exists():
                yield f"{where}: there is no such file"


def guest_includes(root: Path = ROOT) -> Iterator[str]:
    """Guest software sees csrc/abi and itself, as any foreign kernel would."""
    guest = root / "guestkernel"
    for path in c_files(guest):
        for name, system in included(path):
            where = f"{path.relative_to(root)} includes {name}"
            if system:
                if name not in FREESTANDING | {"stdarg.h"}:
                    yield f"{where}: a guest has no C library"
            elif name.startswith("abi/"):
                if not (root / "csrc" / name).exists():
                    yield f"{where}: there is no such file"
            else:
                places = [path.parent / name, guest / name]
                found = [p for p in places if p.exists()]
                if not any(p.resolve().is_relative_to(guest) for p in found):
                    yield f"{where}: a guest may see only csrc/abi and itself"


def header_users(root: Path = ROOT) -> Iterator[str]:
    """The public header is for users: below the API nobody includes it."""
    for path in c_files(root / "csrc"):
        floor = path.relative_to(root / "csrc").parts[0]
        if floor not in {"api", "include"}:
            for name, _ in included(path):
                if name.endswith("hv.h"):
                    yield f"{path.relative_to(root)} includes {name}"


def headers_alone(root: Path = ROOT) -> Iterator[str]:
    """Every header compiles alone, and says everything it needs."""
    for path in sorted((root / "csrc").rglob("*.h")):
        if path.stem.endswith("_code"):
            continue  # machine code: riscv32_link compiles it
        options = [*WARN, "-DFW_NATIVE=1", "-Icsrc", "-fsyntax-only"]
        done = run("cc", *options, "-x", "c", str(path), cwd=root)
        if done.returncode:
            yield done.stderr


def abi_is_constants(root: Path = ROOT) -> Iterator[str]:
    """What csrc/abi gives to assembly is constants, and nothing else."""
    for path in sorted((root / "csrc" / "abi").glob("*.h")):
        options = ["-E", "-P", "-x", "assembler-with-cpp", "-Icsrc"]
        done = run("cc", *options, str(path), cwd=root)
        left = done.stderr + done.stdout.strip()
        if left:
            yield f"{path.relative_to(root)}: assembly would see {left[:200]!r}"


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a Python file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names)


def python_floors(root: Path = ROOT) -> Iterator[str]:
    """Only hv touches the C core; its specification takes numbers alone."""
    for folder in OUTSIDE:
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            bad = NATIVE.intersection(imports(path))
            if bad and name not in INSIDERS:
                yield (
                    f"{name} imports {', '.join(bad)}: "
                    "labs, docs and tests use the public API"
                )
    for path in sorted((root / "hv" / "spec").rglob("*.py")):
        for name in imports(path):
            if name == "hv" or re.match(r"hv\.(?!(spec|abi)\b)", name):
                yield (
                    f"{path.relative_to(root)} imports {name}: the "
                    "specification must be independent of what it judges"
                )
    for name in ALONE:
        path = root / name
        if path.exists() and any(
            i.split(".")[0] == "hv" for i in imports(path)
        ):
            yield f"{name} imports hv, which it must run without"


def hal_functions(root: Path = ROOT) -> set[str]:
    """Return the names of the functions that hal.h declares."""
    text = (root / "csrc" / "hyp" / "hal.h").read_text(encoding="utf-8")
    return set(re.findall(r"\b(hal_\w+)\s*\(", without_comments(text)))


def support_routines() -> set[str]:
    """Return the names that a compiler may use without being asked."""
    text = (ROOT / "tools" / "support_routines.txt").read_text(encoding="utf-8")
    return {n for n in text.splitlines() if n and not n.startswith("#")}


def undefined(path: Path) -> set[str]:
    """Return the names that an object file needs from elsewhere."""
    with path.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            return set()
        return {
            symbol.name
            for symbol in table.iter_symbols()
            if symbol.name and symbol.entry["st_shndx"] == "SHN_UNDEF"
        }


def riscv32_link(root: Path = ROOT) -> Iterator[str]:
    """Built for the bare machine, hyp and dev need hal.h and nothing else."""
    compiler = find_compiler()
    compile_it = [*compiler.compile, *WARN, "-ffreestanding", "-O2", "-Icsrc"]
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for floor in ("dev", "hyp", "sched", "audit"):
            for path in sorted((root / "csrc" / floor).glob("*.c")):
                objects.append(f"{folder}/{floor}-{path.stem}.o")
                done = run(
                    *compile_it, "-c", str(path), "-o", objects[-1], cwd=root
                )
                if done.returncode:
                    yield done.stderr
                    return
        linked = f"{folder}/hyp.o"
        done = run(*compiler.link, "-r", *objects, "-o", linked)
        if done.returncode:
            yield done.stderr
            return
        known = hal_functions(root) | support_routines()
        for symbol in sorted(undefined(Path(linked)) - known):
            yield f"csrc/hyp and csrc/dev need {symbol}, which hal.h has not"


def hyp_lines(root: Path = ROOT) -> int:
    """Return how many lines of code the hypervisor proper has.

    Comments and blank lines are not code: explaining more costs nothing. The
    audit has a floor of its own: without it all would run just the same.
    """
    code = 0
    for path in c_files(root / "csrc" / "hyp"):
        text = re.sub(
            r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        code += sum(bool(line.strip()) for line in text.splitlines())
    return code


def line_budget(root: Path = ROOT) -> Iterator[str]:
    """The hypervisor proper stays small enough to be read in a week."""
    lines = hyp_lines(root)
    if lines >= HYP_LINES:
        yield f"csrc/hyp has {lines} lines of code; the budget is {HYP_LINES}"


def tree_files(root: Path = ROOT) -> list[Path]:
    """Return the files that git has or would add, and the built images."""
    listed = run("git", "ls-files", "-z", "-co", "--exclude-standard", cwd=root)
    names = listed.stdout.split("\0")
    files = [root / n for n in names if n]
    if not files:  # an unpacked source distribution
        files = [p for p in root.rglob("*") if ".venv" not in p.parts]
    return [p for p in [*files, *(root / "hv/images").glob("*")] if p.is_file()]


def no_machine_paths(root: Path = ROOT) -> Iterator[str]:
    """Nothing in the tree or in an image knows where it was built."""
    here = [str(root), str(Path.home()) + "/"]
    for path in tree_files(root):
        data = path.read_bytes()
        for place in here:
            if place.count("/") > 1 and place.encode() in data:
                yield f"{path.relative_to(root)} holds the path {place}"


CHECKS: list[Callable[[], Iterator[str]]] = [
    include_floors,
    guest_includes,
    header_users,
    headers_alone,
    abi_is_constants,
    python_floors,
    riscv32_link,
    line_budget,
    no_machine_paths,
]


def main() -> int:
    """Run every check; return an exit status."""
    bad = 0
    for check in CHECKS:
        problems = list(check())
        bad += len(problems)
        print(f"{'BAD ' if problems else 'ok  '} {check.__doc__}")
        for problem in problems:
            print(f"       {problem}")
    print(f"csrc/hyp: {hyp_lines()} of {HYP_LINES} lines of code")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())

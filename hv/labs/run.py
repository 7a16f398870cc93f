"""Grade one submission: build its core, run the tests in other processes.

The points are the parent's: what each test is worth is read from the tests'
file, and a process only says which of them went well. A test is done when its
line says so. If a process dies, the test that ran is lost, and another process
runs the rest; a submission that dies again and again is left alone.
"""

import hmac
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from tempfile import TemporaryDirectory
from typing import Any

from hv.errors import UsageError
from hv.labs import build
from hv.labs.chaff_cores import cores
from hv.labs.crash import SIGNALS, environment, sanitizer_report
from hv.labs.points import Award, plan
from hv.labs.sandbox import Limits
from hv.labs.seal import sealed
from hv.labs.spec import Folder

PUBLIC_SEED = 1
OUTPUT = 4 << 20  # bytes that a process may send


@dataclass(frozen=True, slots=True)
class Result:
    """How one test went."""

    award: Award
    good: bool
    message: str = ""  #: what went wrong, for the student
    replay: str = ""  #: a command that shows it again

    @property
    def points(self) -> int:
        """What it gives: all or nothing."""
        return self.award.points if self.good else 0


@dataclass(frozen=True, slots=True)
class Grade:
    """How a submission did in a lab."""

    number: int
    title: str
    results: tuple[Result, ...]
    broken: str = ""  #: why nothing could be run
    seconds: float = field(default=0, compare=False)  #: never in a verdict

    @property
    def score(self) -> int:
        """The points."""
        return sum(result.points for result in self.results)

    @property
    def full(self) -> int:
        """The points there are."""
        return sum(result.award.points for result in self.results)


@dataclass(frozen=True, slots=True)
class Built:
    """What a submission was made into."""

    core: Path | None  #: None: hv's own
    image: Path | None  #: None: the lab is about no guest
    files: Mapping[str, str]  #: the lab's, and no others
    cores: Mapping[str, Path]  #: to judge with, by id; most labs have none
    library: Path | None = None  #: the sanitizer's, if the core is sanitized


@dataclass(slots=True)
class _Run:
    """What one process has told, and how it ended."""

    done: dict[str, tuple[bool, str]] = field(default_factory=dict)
    running: str = ""
    ended: bool = False
    why: str = ""
    looped: bool = False
    crashed: bool = False
    said: str = ""  #: on its standard output and error


def hidden_seed(key: str, student: str, number: int) -> int:
    """Return the seed of a student's hidden variant, the same every time.

    :param key: the course's, which students do not have.
    """
    name = f"{student}/{number}".encode()
    code = hmac.new(key.encode(), name, "sha256").digest()
    return int.from_bytes(code[:6], "big")


def grade(
    folder: Folder,
    files: Mapping[str, str],
    *,
    seed: int = PUBLIC_SEED,
    only: str = "",
    limits: Limits | None = None,
    sanitize: bool = False,
) -> Grade:
    """Grade a submission. Whatever it does, there is a grade.

    :param files: the student's, by name; others than the lab's do not count.
    :param only: the name of a single test.
    :param sanitize: let the student's C look where it reads and writes. That
        takes longer, and sees what else might go unnoticed.
    :raises UsageError: there is no pytest, which runs the tests; or no
        sanitizer, where one is asked for.
    """
    if find_spec("pytest") is None:
        raise UsageError("grading needs pytest: pip install 'microhv[labs]'")
    began = time.monotonic()
    awards = [a for a in plan(folder.tests) if only in ("", a.test)]
    broken = ""
    results: dict[str, Result] = {}
    library = build.sanitizer() if sanitize else None
    if sanitize and library is None:
        raise UsageError("--sanitize needs gcc and its libasan")
    try:
        files = _complete(folder, files)
        built = Built(
            build.core(folder, files, sanitize=sanitize),
            build.image(folder, files),
            files,
            cores(folder),
            library,
        )
    except build.BuildError as error:
        broken = _build_message(error)
    else:
        results = _run_all(folder, awards, built, seed, limits or Limits())
    return Grade(
        folder.lab.number,
        folder.lab.title,
        tuple(results.get(a.test, Result(a, good=False)) for a in awards),
        broken,
        time.monotonic() - began,
    )


def _complete(folder: Folder, files: Mapping[str, str]) -> Mapping[str, str]:
    for source in folder.lab.file:
        if source.name not in files:
            raise build.BuildError(f"{source.name} is missing")
    return {source.name: files[source.name] for source in folder.lab.file}


def _build_message(error: build.BuildError) -> str:
    if not isinstance(error, build.CompileError):
        return str(error)
    lines = [f"{m.file}:{m.line}: {m.message}" for m in error.mistakes]
    if not lines:
        return "it does not link:\n" + error.output[-1500:]
    more = f"\n({len(lines) - 5} more)" if len(lines) > 5 else ""
    return "it does not compile:\n" + "\n".join(lines[:5]) + more


def _run_all(
    folder: Folder,
    awards: list[Award],
    built: Built,
    seed: int,
    limits: Limits,
) -> dict[str, Result]:
    results: dict[str, Result] = {}
    looked = False
    left = list(awards)
    deaths = loops = 0
    while left:
        run = _once(folder, [a.test for a in left], built, seed, limits)
        if built.library is not None and run.running:
            found = sanitizer_report(run.said, built.files)
            run.why = (
                f"your code broke a rule of C: {found}" if found else run.why
            )
        elif run.crashed and run.running and not looked:
            looked = True  # once is enough to go on with
            found = _sanitized(folder, built, run.running, seed, limits)
            run.why += f"\n{found}" if found else ""
        for award in left:
            if award.test in run.done:
                good, message = run.done[award.test]
                results[award.test] = _result(
                    folder, award, seed, good=good, message=message
                )
            elif award.test == run.running:
                results[award.test] = _result(
                    folder, award, seed, good=False, message=run.why
                )
        left = [a for a in left if a.test not in results]
        deaths, loops = deaths + 1, loops + run.looped
        given_up = deaths == limits.deaths or loops == limits.loops
        if run.ended or not run.running or given_up:
            why = run.why or "it was not run"
            if deaths > 1 or loops:
                why = "not run: the tests before it ended the process"
            for award in left:
                results[award.test] = _result(
                    folder, award, seed, good=False, message=why
                )
                why = "not run"  # the story is told once
            break
    return results


def _result(
    folder: Folder, award: Award, seed: int, *, good: bool, message: str
) -> Result:
    replay = ""
    if not good:
        replay = f"hv lab replay {folder.lab.number} {award.test}"
        replay += f" --seed {seed}" if seed != PUBLIC_SEED else ""
    return Result(award, good, message, replay)


def _once(
    folder: Folder,
    tests: list[str],
    built: Built,
    seed: int,
    limits: Limits,
    extra: Mapping[str, str] | None = None,
) -> _Run:
    """Run tests in one process until it ends.

    :param extra: environment of the process, besides the little it gets.
    """
    if built.library is not None and extra is None:
        extra = environment(built.library, limits)
        limits = replace(limits, memory=0)
    key = secrets.token_bytes(32)
    reader, writer = os.pipe()
    order = {
        "key": key.hex(),
        "core": str(built.core or ""),
        "image": str(built.image or ""),
        "cores": {name: str(path) for name, path in built.cores.items()},
        "file": str(folder.tests),
        "tests": tests,
        "seed": seed,
        "results": writer,
        "limits": limits.to_json(),
    }
    with TemporaryDirectory(prefix="hv-lab-") as place:
        here = Path(place)
        (here / "pytest.ini").write_text("[pytest]\n")
        for name, text in built.files.items():
            (here / name).write_text(text)
        try:
            child = _start(here, order, writer, extra or {})
        finally:
            os.close(writer)
        try:
            late = not _listen(reader, limits.wall, told := bytearray())
        finally:
            os.close(reader)
            if child.poll() is None:
                _end(child)
        said = (here / "output").read_bytes().decode(errors="replace")
    run = _understand(key, bytes(told))
    run.said = said
    if not run.ended or len(run.done) < len(tests):
        _explain(run, child.returncode, late=late)
    return run


def _start(
    here: Path,
    order: Mapping[str, object],
    results: int,
    extra: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    """Start the process and tell it what to do."""
    with (here / "output").open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "hv.labs.child"],
            cwd=here,
            env={**_environment(), **extra},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[results],
            start_new_session=True,
        )
    if child.stdin is not None:
        with suppress(BrokenPipeError), child.stdin:
            child.stdin.write(json.dumps(order).encode() + b"\n")
    return child


def _environment() -> dict[str, str]:
    """Return what a submission may know: nothing of who grades it."""
    kept = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH", "TMPDIR")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return found | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def _listen(reader: int, wall: int, told: bytearray) -> bool:
    """Read until the other end is closed; false if that takes too long."""
    deadline = time.monotonic() + wall
    with DefaultSelector() as selector:
        selector.register(reader, EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                return False
            piece = os.read(reader, 1 << 16)
            if not piece:
                return True
            told += piece
            if len(told) > OUTPUT:
                return True
    return False


def _end(child: subprocess.Popen[bytes]) -> None:
    """Let the process end, or end it; only the one that we started."""
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _understand(key: bytes, told: bytes) -> _Run:
    """Read the lines that are the grader's; others are a submission's."""
    run = _Run()
    number = 0
    for line in told.split(b"\n"):
        code, _, text = line.decode(errors="replace").partition(" ")
        if not hmac.compare_digest(
            code.encode(), sealed(key, number, text).encode()
        ):
            continue
        number += 1
        event: dict[str, Any] = json.loads(text)
        match event["event"]:
            case "start":
                run.running = event["test"]
            case "done":
                run.done[event["test"]] = (event["good"], event["message"])
                run.running = ""
            case "end":
                run.ended = True
    return run


def _explain(run: _Run, status: int, *, late: bool) -> None:
    """Say why a process ended before its time."""
    if late:
        run.looped = True
        why = SIGNALS["SIGXCPU"]
    elif status < 0:
        name = signal.Signals(-status).name
        run.looped = name in ("SIGXCPU", "SIGKILL")
        run.crashed = not run.looped
        why = SIGNALS.get(name, f"signal {name}")
    else:
        why = f"it called exit(), with status {status}"
    run.why = f"your code ended the process: {why}"
    if not run.running:
        lines = run.said[-2000:].strip().splitlines()[-8:]
        run.why = "\n".join(
            [f"the tests could not be run; {why}", *(f"  {x}" for x in lines)]
        )


def _sanitized(
    folder: Folder,
    built: Built,
    test: str,
    seed: int,
    limits: Limits,
) -> str:
    """Run a test that crashed once more, with a core that looks at itself.

    Returns what was found, with the student's file and line; else "".
    """
    library = build.sanitizer()
    if library is None:
        return ""
    try:
        core = build.core(folder, built.files, sanitize=True)
    except build.BuildError:
        return ""
    run = _once(
        *(folder, [test], replace(built, core=core), seed),
        replace(limits, memory=0),
        environment(library, limits),
    )
    return sanitizer_report(run.said, built.files)

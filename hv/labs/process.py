"""One process that runs tests of a lab: started, listened to, ended.

A test is done when its line says so; what the process does besides does not
count. It may die or loop, and then what it had told before holds.
"""

import hmac
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from tempfile import TemporaryDirectory
from typing import Any

from hv.labs.crash import SIGNALS, environment
from hv.labs.sandbox import Limits
from hv.labs.seal import sealed
from hv.labs.spec import Folder

OUTPUT = 4 << 20  # bytes that a process may send


@dataclass(frozen=True, slots=True)
class Built:
    """What a submission was made into."""

    core: Path | None  #: None: hv's own
    image: Path | None  #: None: the lab is about no guest
    files: Mapping[str, str]  #: the lab's, and no others
    cores: Mapping[str, Path]  #: to judge with, by id; most labs have none
    library: Path | None = None  #: the sanitizer's, if the core is sanitized


@dataclass(frozen=True, slots=True)
class Event:
    """What is told while tests run: one begins, or is done."""

    test: str  #: empty: everything is built, and they begin
    good: bool | None = None  #: None: it begins


Tell = Callable[[Event], object]


def silent(_: Event) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Run:
    """What one process has told, and how it ended."""

    done: dict[str, tuple[bool, str]] = field(default_factory=dict)
    running: str = ""
    ended: bool = False
    why: str = ""
    looped: bool = False
    crashed: bool = False
    said: str = ""  #: on its standard output and error


def once(
    folder: Folder,
    tests: list[str],
    built: Built,
    seed: int,
    limits: Limits,
    tell: Tell,
    extra: Mapping[str, str] | None = None,
) -> Run:
    """Run tests in one process until it ends.

    :param tell: told of each test, as soon as the process tells.
    :param extra: environment of the process, besides the little it gets.
    """
    if built.library is not None and extra is None:
        extra = environment(built.library, limits)
        limits = replace(limits, memory=0)
    key = secrets.token_bytes(32)
    ear = Ear(key, tell)
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
            late = not _listen(reader, limits.wall, ear.hear)
        finally:
            os.close(reader)
            if child.poll() is None:
                _end(child)
        said = (here / "output").read_bytes().decode(errors="replace")
    run = ear.run
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


def _listen(reader: int, wall: int, hear: Callable[[bytes], object]) -> bool:
    """Read until the other end is closed; false if that takes too long."""
    deadline = time.monotonic() + wall
    heard = 0
    with DefaultSelector() as selector:
        selector.register(reader, EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                return False
            piece = os.read(reader, 1 << 16)
            if not piece:
                return True
            hear(piece)
            heard += len(piece)
            if heard > OUTPUT:
                return True
    return False


def _end(child: subprocess.Popen[bytes]) -> None:
    """Let the process end, or end it; only the one that we started."""
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class Ear:
    """Understand the lines that are the grader's; others are a submission's.

    :param key: that the grader's lines are sealed with.
    :param tell: told of each test that begins or is done.
    """

    def __init__(self, key: bytes, tell: Tell) -> None:
        self.run = Run()
        self._key = key
        self._tell = tell
        self._number = 0
        self._rest = b""

    def hear(self, piece: bytes) -> None:
        """Hear some bytes more, of whole lines or not."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            code, _, text = line.decode(errors="replace").partition(" ")
            right = sealed(self._key, self._number, text)
            if hmac.compare_digest(code.encode(), right.encode()):
                self._number += 1
                self._understand(json.loads(text))

    def _understand(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "start":
                self.run.running = event["test"]
                self._tell(Event(event["test"]))
            case "done":
                test, good = event["test"], event["good"]
                self.run.done[test] = (good, event["message"])
                self.run.running = ""
                self._tell(Event(test, good))
            case "end":
                self.run.ended = True


def _explain(run: Run, status: int, *, late: bool) -> None:
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

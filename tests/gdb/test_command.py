"""The command: where it listens, what it says, and how it ends."""

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hv.cli import main
from hv.gdb import debugger
from tests.control import programs as p
from tests.control.elfs import kernel
from tests.gdb.client import Client

ENTRY = 0x8040_0000
HI = [*p.say("hi\n"), *p.off(3)]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "kernel.elf"
    path.write_bytes(kernel(HI))
    return path


@dataclass(frozen=True)
class Done:
    """What a command did."""

    status: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """Run the command here, as quickly as that goes."""

    def run(*args: str | Path, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        return Done(main(list(map(str, args))), *capfd.readouterr())

    return run


@contextmanager
def serving(*options: str | Path) -> Iterator[tuple[Client, list[str]]]:
    """Start the command; connect to where it says that it listens.

    What is noted at the end is its output and its exit status.
    """
    end: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "hv", "gdb", *map(str, options)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr
        assert server.stdout
        told = server.stderr.readline()
        found = re.search(r"target remote ([\d.]+):(\d+)", told)
        assert found, told + server.stderr.read()
        address = (found[1], int(found[2]))
        client = Client(socket.create_connection(address))
        yield client, end
        client.close()
        end += [server.stdout.read(), server.stderr.read()]
        end.append(str(server.wait()))


def test_who_detaches_lets_it_run_to_its_end(image: Path) -> None:
    with serving("--style", "bare", "--listen", "0", image) as (gdb, end):
        assert gdb.pc == ENTRY
        assert gdb.ask("s") == "T05thread:1;"
        assert gdb.ask("D") == "OK"
    assert end[0] == "hi\n"
    assert "code 3" in end[1]
    assert end[2] == "1"


def test_who_hangs_up_ends_it(image: Path) -> None:
    with serving("--listen", "127.0.0.1:0", image) as (gdb, end):
        assert gdb.ask("s") == "T05thread:1;"
    assert end == ["", "", "0"]


def test_packets_are_lines_in_a_batch(command: Command, image: Path) -> None:
    packets = (
        "# a comment\np20\n\ns\nbs\nqRcmd,7768657265\nnonsense\nD\nignored"
    )
    done = command("gdb", "--batch", image, stdin=packets)
    assert done.status == 1
    assert done.err.count("\n") == 1
    assert done.out.splitlines() == [
        "-> p20", "<- 00004080", "-> s", "<- T05thread:1;", "-> bs",
        "<- T05thread:1;", "-> qRcmd,7768657265",
        "after 0 instructions since the beginning",
        "* vCPU 0: pc 80400000 in S", "<- OK", "-> nonsense", "<- ",
        "-> D", "<- OK", "hi",
    ]  # fmt: skip
    done = command("gdb", "--batch", image, stdin="s\n")
    assert (done.status, done.err) == (0, "")


def test_a_recorded_run_stands_at_its_end(
    command: Command, image: Path, tmp_path: Path
) -> None:
    noted = tmp_path / "run.journal"
    command("run", "--record", noted, image)
    packets = "c\nbs\np20\nbc\np20\n"
    done = command("gdb", "--batch", noted, stdin=packets)
    assert done.status == 0
    answers = [it for it in done.out.splitlines() if it.startswith("<- ")]
    end = (ENTRY + 4 * (len(HI) - 2)).to_bytes(4, "little").hex()
    assert answers == [
        "<- T05replaylog:end;thread:1;", "<- T05thread:1;", f"<- {end}",
        "<- T05replaylog:begin;thread:1;", "<- 00004080",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        ("--listen", "here"), ("--listen", "70000"), ("--listen", ""),
        ("--attach", "--batch"), ("--style", "bare", "--vcpus", "2"),
        ("--listen", "999.1.1.1:1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    command: Command, image: Path, options: tuple[str, ...]
) -> None:
    done = command("gdb", *options, image)
    assert done.status in (1, 2)
    assert done.out == ""
    assert "Traceback" not in done.err


def test_a_port_that_is_taken_is_said(command: Command, image: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("gdb", "--listen", str(port), image)
    assert done.status == 1
    assert f"--listen 127.0.0.1:{port}: " in done.err


FAKE = """\
#!{python}
import socket, sys
if "-batch" in sys.argv:
    print('The target architecture is set to "riscv:rv32".')
    sys.exit()
if {early}:
    sys.exit()
place = [word for word in sys.argv if word.startswith("target remote ")][0]
host, port = place.split()[-1].split(":")
line = socket.create_connection((host, int(port)))
line.sendall(b"$p20#d2")
print(line.recv(100), sys.argv[-1])
"""


def path_with(tmp_path: Path, *, early: bool) -> dict[str, str]:
    """Return an environment in which GDB is a script of ours."""
    fake = tmp_path / "gdb-multiarch"
    fake.write_text(FAKE.format(python=sys.executable, early=early))
    fake.chmod(0o755)
    return os.environ | {"PATH": str(tmp_path)}


@pytest.mark.parametrize("early", [False, True])
def test_gdb_is_started_at_the_other_end(
    image: Path, tmp_path: Path, *, early: bool
) -> None:
    """And one that is gone before it has connected ends the command, too."""
    done = subprocess.run(
        [sys.executable, "-m", "hv", "gdb", "--attach", "--listen", "0", image],
        env=path_with(tmp_path, early=early),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (str(image) in done.stdout) == (not early)


def test_who_has_no_gdb_is_told_how_to_get_it(
    command: Command, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    done = command("gdb", "--attach", image)
    assert (done.status, done.out) == (1, "")
    assert "apt install gdb-multiarch" in done.err


def test_a_gdb_for_another_processor_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in debugger.NAMES:
        path = tmp_path / name
        path.write_text("#!/bin/sh\necho Undefined item: riscv:rv32.\n")
        path.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(tmp_path / name))
    assert debugger.find() is None


def test_ctrl_c_ends_a_server_that_waits(image: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "hv", "gdb", "--listen", "0", str(image)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stderr
        assert b"target remote" in server.stderr.readline()
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 130

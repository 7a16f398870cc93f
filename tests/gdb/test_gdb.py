"""The real GDB, attached to the guest kernel: what a person would type."""

import os
import re
import subprocess
import sys

import pytest

from hv.gdb import debugger
from hv.images import find

pytestmark = [pytest.mark.nightly, pytest.mark.images]


@pytest.fixture(scope="module")
def gdb() -> str:
    """Where GDB is; without it nobody can type."""
    found = debugger.find()
    if found is None:
        why = f"no GDB for RISC-V: {debugger.REMEDY}"
        if os.environ.get("HV_NO_SKIP"):
            pytest.fail(why)
        pytest.skip(why)
    return found


def typed(gdb: str, style: str, *lines: str) -> str:
    """Return what GDB prints, of a guest kernel at its first instruction."""
    name = "kernel-pv" if style in ("pv", "direct") else "kernel-native"
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "hv", "gdb", "--listen", "0"),
            *("--style", style, "--append", "run=sieve", name),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stderr
        where = server.stderr.readline().split()[-1]
        before = ("set confirm off", "set pagination off", "set width 0")
        commands = (*before, f"target remote {where}", *lines, "kill")
        done = subprocess.run(
            [
                *(gdb, "-nx", "-q", "-batch"),
                *(word for line in commands for word in ("-ex", line)),
                str(find(name).path),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


STYLES = ("bare", "emulate", "assist", "nested", "pv", "direct")


@pytest.mark.parametrize("style", STYLES)
def test_there_and_back_again(gdb: str, style: str) -> None:
    out = typed(
        gdb,
        style,
        "x/2i $pc",
        'printf "here=%x\\n", $pc',
        "stepi",
        "stepi",
        "reverse-stepi",
        'printf "here=%x\\n", $pc',
        "hbreak schedule",
        "continue",
        'printf "first %x\\n", $pc',
        "stepi",
        "continue",
        'printf "second %x\\n", $pc',
        "reverse-continue",
        'printf "first %x\\n", $pc',
        "reverse-continue",
        'printf "here=%x\\n", $pc',
        "info registers satp sstatus priv",
        "info threads",
        "delete",
        "continue",
        "reverse-stepi",
        "monitor where",
    )
    here = re.findall(r"here=(\w+)", out)
    assert "=> 0x80400000" in out
    assert here == ["80400000", "80400004", "80400000"]
    first = out[out.index("first ") :].split()[1]
    assert out.count(f"first {first}\n") == 2
    assert f"second {first}\n" in out
    assert "[Supervisor]" in out
    assert "powered off with code 0; you can go back" in out
    assert "Remote failure" not in out
    assert "Protocol error" not in out


def test_what_is_watched(gdb: str) -> None:
    out = typed(
        gdb,
        "emulate",
        "break schedule",
        "continue",
        "watch nr_free",
        "continue",
        "continue",
        "reverse-continue",
        "reverse-continue",
        "monitor pt nr_free",
        "monitor exits",
    )
    values = [
        (int(line.split("=")[1]))
        for line in out.splitlines()
        if line.startswith(("Old value", "New value"))
    ]
    once, twice = values[0:2], values[2:4]
    assert once[1] == once[0] - 1 == twice[0]
    assert values[4:6] == twice[::-1]
    assert values[6:8] == once[::-1]
    assert "verdict: ok" in out
    assert "shadow" in out

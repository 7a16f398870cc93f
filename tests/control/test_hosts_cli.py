"""hv up, hv top, hv trace, hv gantt: what they print and how they end."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest

from hv.cli import main
from hv.images import Image
from tests.control import programs as p
from tests.control.conftest import Kernel
from tests.control.test_cli import Result
from tests.control.test_trace import check_chrome, parsed


def hv(*args: str | Path) -> Result:
    """Run the command in this process, for speed; test_cli is about that."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(arg) for arg in args])
    return Result(status, out.getvalue(), err.getvalue())


@pytest.fixture
def host(tmp_path: Path, kernel: Kernel) -> Path:
    """A file with a VM that talks and one that spins."""
    talk = tmp_path / "talk.elf"
    talk.write_bytes(kernel([*p.say("hello\n"), *p.off()]).read_bytes())
    kernel(p.SPIN)
    path = tmp_path / "host.toml"
    path.write_text(
        '[host]\nslice = "100us"\nrun_for = "2ms"\n'
        '[[vm]]\nname = "talker"\nimage = "./talk.elf"\n'
        '[[vm]]\nname = "spinner"\nimage = "./kernel.elf"\n'
        'expect = "running"\n'
    )
    return path


def fails(done: Result, status: int, *words: str) -> None:
    assert done.status == status, done.err
    assert done.out == ""
    assert all(word in done.err for word in words), done.err
    assert done.err.startswith("hv: ")


UP = """\
  talker | hello
      hv * talker ended: off:0
NAME     STATE     END      EXPECTED       CPU(%)  SHARE(%)  STEAL(%)  EXITS    INSNS   CYCLES
"""  # noqa: E501


def test_up_reports_how_all_ended(host: Path) -> None:
    done = hv("up", host)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(UP)
    rows = done.out.removeprefix(UP).splitlines()
    assert rows[0].split()[:5] == ["talker", "off", "off:0", "off:0", "yes"]
    assert rows[1].split()[:3] == ["spinner", "runnable", "running"]
    assert re.fullmatch(
        r"0\.002\d+ s of machine time, rr, 1 hart: guest [\d.]+%, "
        r"hypervisor [\d.]+%, idle 0\.0%; hash [0-9a-f]{16}",
        rows[2],
    )
    assert hv("up", host).out == done.out


def test_up_is_1_if_an_ending_is_another(host: Path) -> None:
    host.write_text(host.read_text().replace('"running"', '"killed"'))
    done = hv("up", host)
    assert done.status == 1
    assert "  NO  " in done.out
    assert done.err == "hv: spinner is still runnable, and not killed\n"
    report = json.loads(hv("up", "--json", host).out)
    assert not report["met"]
    assert [vm["met"] for vm in report["vms"]] == [True, False]


def test_up_checks_before_it_starts(host: Path) -> None:
    done = hv("up", "--check", host)
    assert done.out == f"{host}: 2 VMs on 1 hart, policy rr\n"
    host.write_text(host.read_text() + "wieght = 1\n[host2]\n")
    for options in (["--check"], ["--dry-run"], []):
        done = hv("up", *options, host)
        fails(done, 2, f"{host}:11: wieght: ", f"\n{host}:12: host2: ")


DRY = """\
1 hart, 64MiB of memory, policy rr, slice 0.1 ms, engine fast, profile clean, \
admission strict, interleaving in order, for 0.002 s
NAME     IMAGE         STYLE    MEMORY  VCPUS  SCHEDULE  EXPECTED
talker   ./talk.elf    emulate   16MiB      1  default   off:0
spinner  ./kernel.elf  emulate   16MiB      1  default   running
"""


def test_up_says_what_it_would_start(host: Path) -> None:
    assert hv("up", "--dry-run", host).out == DRY


def test_up_says_what_a_file_can_say() -> None:
    out = hv("up", "--keys").out
    assert "[[vm]]\n" in out
    assert re.search(r"^weight = 256 +# its share", out, re.MULTILINE)
    assert re.search(r"^image = .*\(required\)$", out, re.MULTILINE)


def test_up_records(host: Path, tmp_path: Path) -> None:
    trace, log, svg = (tmp_path / name for name in ("t.json", "t.txt", "t.svg"))
    plain = hv("up", host)
    done = hv("up", "--trace", trace, "--gantt", svg, host)
    assert done.out == plain.out
    check_chrome(trace.read_text())
    parsed(svg.read_text())
    assert hv("up", "--trace", log, host).status == 0
    assert "talker.0   run\n" in log.read_text()


def test_up_without_a_file() -> None:
    fails(hv("up"), 2, "domain file")
    fails(hv("up", "nothing"), 2, "files that come with hv: caps, ")


# -- top ---------------------------------------------------------------------

TOP_HEAD = (
    "NAME     STATE   CPU(sec)  CPU(%)  MEM(k)  MEM(%)  MAXMEM(k)  MAXMEM(%)"
    "  VCPUS  EXITS/s  SHADOWFLT/s  HCALL/s  STEAL(%)"
)


def test_top_prints_as_xentop_does(host: Path) -> None:
    done = hv("top", "-b", "-i", "2", "-d", "500us", host)
    assert (done.status, done.err) == (0, "")
    first, second = done.out.split("\n\n")
    lines = second.splitlines()
    assert lines[0].startswith("hv top - 0.0010 s of machine time, rr")
    assert lines[1] == (
        "2 domains: 1 running, 0 blocked, 0 paused, 0 crashed, 0 dying, "
        "1 shutdown"
    )
    assert lines[4] == TOP_HEAD
    assert lines[5].split()[:2] == ["talker", "-s----"]
    assert lines[6].split()[:2] == ["spinner", "-----r"]
    assert lines[6].split()[3] == "100.0"
    assert first.splitlines()[0].startswith("hv top - 0.0005 s")
    assert hv("top", "-i", "2", "-d", "500us", host).out == done.out


def on_a_terminal(columns: int, *args: str | Path) -> str:
    """Run the command where its output is a terminal; return what it wrote."""
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm"}
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "hv", *map(str, args)],
        stdout=theirs,
        env=environment,
    )
    os.close(theirs)
    out = b""
    with suppress(OSError):  # the terminal's end
        while piece := os.read(ours, 4096):
            out += piece
    os.close(ours)
    assert done.wait() == 0
    return out.decode()


def test_top_fits_a_narrow_terminal(host: Path) -> None:
    wide = on_a_terminal(150, "top", "-d", "1ms", host)
    assert "SHADOWFLT/s" in wide
    narrow = on_a_terminal(60, "top", "-d", "1ms", host)
    assert "SHADOWFLT/s" not in narrow
    assert "STEAL(%)" in narrow


def test_up_on_a_terminal(host: Path) -> None:
    out = on_a_terminal(80, "up", host)
    assert "talker | hello" in out
    assert "STEAL(%)" in out
    assert "EXPECTED" in out


def test_top_ends_with_the_run(host: Path) -> None:
    done = hv("top", "-d", "500us", host)
    assert done.out.count("hv top - ") == 4


def test_top_as_values(host: Path) -> None:
    done = hv("top", "--csv", "-d", "1ms", host)
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["NAME"] for row in rows] == ["talker", "spinner"] * 2
    for row in rows:
        busy = float(row["CPU(%)"]) + float(row["STEAL(%)"])
        assert 0 <= busy <= 100.1
    times = [float(row["TIME(sec)"]) for row in rows]
    assert times == pytest.approx([0.001, 0.001, 0.002, 0.002], abs=5e-5)


# -- trace and gantt ---------------------------------------------------------


def test_trace_of_images(shipped: dict[str, Image], tmp_path: Path) -> None:
    assert shipped
    out = tmp_path / "run.json"
    done = hv(
        *("trace", "kernel-native", "kernel-native", "--out", out),
        *("--for", "5ms", "--harts", "2", "--slice", "1ms"),
    )
    assert done.status == 0
    assert f"{out}: " in done.err
    phases = check_chrome(out.read_text())
    names = {event["args"].get("name") for event in phases["M"]}
    assert names >= {"VM kernel-native", "VM kernel-native-2", "hart 1"}


def test_trace_as_text(host: Path) -> None:
    done = hv("trace", "--kinds", "run, stop", host)
    lines = done.out.splitlines()
    assert len(lines) == 3
    assert all(re.search(r"  (run|stop)\b", line) for line in lines)
    assert "after 0.002 s of machine time" in done.err


def test_trace_lists_its_events() -> None:
    out = hv("trace", "--kinds", "help").out
    assert re.search(r"^kick +the hart interrupts another", out, re.MULTILINE)


def test_gantt(host: Path, tmp_path: Path) -> None:
    svg = tmp_path / "who.svg"
    done = hv("gantt", "--out", svg, "--to", "1ms", host)
    assert done.status == 0
    parsed(svg.read_text())
    assert "talker.0" in svg.read_text()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["trace"], "name a domain file"),
        (["trace", "a.toml", "b.toml"], "one domain file"),
        (["trace", "kernel-natve"], "did you mean 'kernel-native'?"),
        (["trace", "HOST", "--weight", "1"], "--weight is for images"),
        (["trace", "HOST", "--kinds", "ran"], "no event 'ran'"),
        (["trace", "HOST", "--format", "perfetto"], "--out"),
        (["trace", "HOST", "--slice", "1h"], "'1h' is no time"),
        (["trace", "HOST", "--policy", "lottery"], "lottery"),
        (["trace", "HOST", "--out", "/nowhere/x.json"], "No such file"),
        (["trace", "ELF", "ELF", "ELF", "--cap", "1,2"], "2 numbers for 3"),
        (["trace", "ELF", "--cap", "x"], "are no numbers"),
        (["trace", "ELF", "--cap", "900"], "cap"),
        (["trace", "ELF", "--mem", "x"], "not a size"),
        (["gantt", "HOST", "--out", "x.png"], "SVG"),
        (["gantt", "HOST", "--from", "2ms", "--to", "1ms"], "after --from"),
        (["top", "HOST", "-d", "0s"], "--delay"),
        (["top", "HOST", "-i", "0"], "0"),
    ],
)
def test_wrong_usage(
    host: Path, args: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(host.parent)
    real = {"HOST": "host.toml", "ELF": "kernel.elf"}
    done = hv(*(real.get(arg, arg) for arg in args))
    assert done.status in (1, 2)
    assert words in done.err
    assert done.err.startswith("hv: ")

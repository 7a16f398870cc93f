"""The command: what it prints, and the exit status it ends with."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import tomllib
from array import array
from pathlib import Path

import pytest

from hv import images
from hv.cli import main
from hv.errors import HypervisorBug
from hv.guestcc import find_compiler
from tests.control import programs as p
from tests.control.conftest import STYLES, Kernel
from tests.machine.asm import WFI

every_style = pytest.mark.parametrize("style", STYLES)
HV = [sys.executable, "-m", "hv"]
ROOT = Path(__file__).parents[2]


class Result:
    """What a command did."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


def hv(*args: str | Path, stdin: bytes = b"") -> Result:
    """Run the command as a person would, in a process of its own."""
    done = subprocess.run(
        [*HV, *map(str, args)], input=stdin, capture_output=True, check=False
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


@every_style
def test_success_is_0(kernel: Kernel, style: str) -> None:
    done = hv("run", "--style", style, kernel([*p.say("hi\n"), *p.off()]))
    assert (done.status, done.out, done.err) == (0, "hi\n", "")


@every_style
def test_failure_is_1_and_its_code_is_printed(
    kernel: Kernel, style: str
) -> None:
    done = hv("run", "--style", style, kernel([*p.say("oh\n"), *p.off(42)]))
    assert (done.status, done.out) == (1, "oh\n")
    assert "42" in done.err
    assert done.err.count("\n") == 1


@every_style
def test_an_exhausted_budget_is_4(kernel: Kernel, style: str) -> None:
    done = hv("run", "--style", style, "--max-insns", "1000", kernel(p.SPIN))
    assert done.status == 4
    assert "instructions" in done.err


def test_a_killed_guest_is_3_and_the_reason_is_on_stderr(
    kernel: Kernel,
) -> None:
    path = kernel([*p.say("hi\n"), *p.lost()])
    done = hv("run", "--style", "pv", path)
    assert (done.status, done.out) == (3, "hi\n")
    assert done.err.startswith("hv: the guest was killed: ")
    assert done.err.count("\n") == 1
    report = json.loads(hv("run", "--style", "pv", "--json", path).out)
    assert (report["status"], report["state"]) == (3, "killed")
    assert report["reason"]
    assert report["why"] == f"the guest was killed: {report['reason']}"


def test_a_reboot_is_an_end(kernel: Kernel) -> None:
    done = hv("run", kernel(p.reboot()))
    assert done.status == 0
    assert "reboot" in done.err


@pytest.mark.parametrize("style", ["bare", "emulate"])
def test_waiting_with_no_more_input_is_1(kernel: Kernel, style: str) -> None:
    done = hv("run", "--style", style, kernel([WFI, *p.SPIN]))
    assert done.status == 1
    assert "waits for input" in done.err


@every_style
def test_stdin_is_the_guests_input(kernel: Kernel, style: str) -> None:
    done = hv(
        "run", "--style", style, "--max-insns", "3000000", kernel(p.echo()),
        stdin=b"some text\n" * 100,
    )  # fmt: skip
    assert done.out == "some text\n" * 100
    assert done.status == 4


@every_style
def test_json_is_one_object(kernel: Kernel, style: str) -> None:
    path = kernel([*p.say("hi\n"), *p.off(3)])
    done = hv("run", "--style", style, "--json", path)
    assert done.status == 1
    assert done.err == ""
    report = json.loads(done.out)
    assert report["console"] == "hi\n"
    assert report["status"] == 1
    assert report["exit_code"] == 3
    assert report["state"] == "off"
    assert report["style"] == style
    assert report["insns"] > 10
    assert sum(report["exits"].values()) == report["counters"].get("exits", 0)
    assert report["misses"] == sum(
        report["hart"][f"{kind}_misses"] for kind in ("fetch", "load", "store")
    )
    references = report["refs_per_miss"] * report["misses"]
    assert round(references) == report["hart"]["walk_refs"]
    assert hv("run", "--style", style, "--json", path).out == done.out


def test_statistics_go_to_stderr(kernel: Kernel) -> None:
    done = hv("run", "--stats", kernel([*p.say("hi\n"), *p.off()]))
    assert done.out == "hi\n"
    rows = dict(line.rsplit(maxsplit=1) for line in done.err.splitlines())
    assert rows["exit_sbi"] == "3"
    assert int(rows["instructions"].replace(",", "")) > 10
    assert 1 <= float(rows["entries per TLB miss"]) <= 2


WRONG = {
    "no command": (["rnu"], "did you mean 'run'?"),
    "no image": (["run"], "IMAGE"),
    "no such option": (["run", "--mme", "1M", "x"], "--mem"),
    "no such file": (["run", "/nowhere/kernel.elf"], "no such file"),
    "not an image": (["run", __file__], "not an ELF file"),
    "style": (["run", "--style", "xen", "x"], "'emulate'"),
    "size": (["run", "--mem", "lots", "KERNEL"], "not a size: 'lots'"),
    "little memory": (["run", "--mem", "64K", "KERNEL"], "outside RAM"),
    "odd memory": (["run", "--mem", "5000000", "KERNEL"], "4096"),
    "odd memory, bare": (
        ["run", "--style", "bare", "--mem", "5000000", "KERNEL"],
        "4096",
    ),
    "much memory": (["run", "--mem", "8G", "KERNEL"], "must be in"),
    "budget": (["run", "--max-insns", "-1", "KERNEL"], "-1"),
    "initrd": (["run", "--initrd", "/nowhere", "KERNEL"], "/nowhere"),
    "firmware": (
        ["run", "--style", "pv", "--firmware", "KERNEL", "KERNEL"],
        "--firmware goes with --style bare",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_2_and_one_line(kernel: Kernel, name: str) -> None:
    args, message = WRONG[name]
    path = str(kernel(p.SPIN))
    done = hv(*(path if arg == "KERNEL" else arg for arg in args))
    assert done.status == 2
    assert done.out == ""
    assert message in done.err
    assert done.err.startswith("hv: ")
    assert done.err.count("\n") == 1


def test_a_bug_of_ours_is_70_and_asks_for_a_report(
    kernel: Kernel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> None:
        raise HypervisorBug("running: frame 5 has two owners")

    monkeypatch.setattr("hv.host.Host.run", broken)
    assert main(["run", str(kernel(p.SPIN))]) == 70
    err = capsys.readouterr().err
    assert "frame 5 has two owners" in err
    assert "report" in err


def test_so_is_a_python_error_nobody_thought_of(
    kernel: Kernel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("hv.host.Host.run", lambda *_: 1 / 0)
    assert main(["run", str(kernel(p.SPIN))]) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert "report" in err


def unread(pipe: int) -> int:
    """Return how many bytes of a pipe nobody has read yet."""
    size = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return size[0]


@every_style
@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_is_130(kernel: Kernel, style: str, *, as_json: bool) -> None:
    command = [*HV, "run", "--style", style, "--stats"]
    command += ["--json"] * as_json
    # Whoever started the tests may ignore it, which children inherit.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*command, kernel([*p.say("up\n"), *p.SPIN])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    signal.signal(signal.SIGINT, before)
    assert process.stdin is not None
    assert process.stdout is not None
    if as_json:  # nothing is printed before the end, but input is read
        process.stdin.write(b"x")
        process.stdin.flush()
        while unread(process.stdin.fileno()):
            os.sched_yield()
    else:
        assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in err
    if as_json and out:
        assert json.loads(out)["status"] == 130


def test_a_reader_that_leaves(kernel: Kernel) -> None:
    read, write = os.pipe()
    os.close(read)
    flood = p.say("x" * 40)
    done = subprocess.run(
        [*HV, "run", kernel([*flood, *p.j_back(flood)])],
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_without_images_the_command_that_gets_them_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(images, "available", dict)
    for command in (["run", "kernel-native"], ["demo"], ["images"]):
        assert main(command) in (1, 2)
        err = capsys.readouterr().err
        assert "hv guests build" in err
        assert err.count("\n") == 1


def test_version_and_doctor() -> None:
    assert hv("version").out.startswith("hv ")
    done = hv("doctor")
    assert "C core" in done.out
    assert done.status in (0, 1)


def test_cc_has_a_help_of_its_own() -> None:
    done = hv("cc", "--help")
    assert (done.status, done.err) == (0, "")
    assert "sources" in done.out


def test_help_needs_no_core_and_says_what_statuses_mean() -> None:
    done = hv("run", "--help")
    assert done.status == 0
    assert "130" in done.out


# -- with the guests that come with hv ---------------------------------------

Shipped = dict[str, images.Image]


@pytest.mark.images
def test_a_mistyped_image(shipped: Shipped) -> None:
    name = next(iter(shipped))
    done = hv("run", name + "x")
    assert done.status == 2
    assert f"did you mean {name!r}?" in done.err


@pytest.mark.images
def test_images_are_listed(shipped: Shipped) -> None:
    listed = json.loads(hv("images", "--json").out)["images"]
    assert [row["name"] for row in listed] == list(shipped)
    text = hv("images").out
    assert all(name in text for name in shipped)


@pytest.mark.images
def test_kernels_run_in_each_of_their_styles(shipped: Shipped) -> None:
    sums = []
    for name, style in (
        ("kernel-native", "bare"),
        ("kernel-native", "emulate"),
        ("kernel-pv", "pv"),
    ):
        done = hv("run", "--style", style, "--json", shipped[name].name)
        report = json.loads(done.out)
        assert (done.status, report["why"]) == (0, "")
        sums.append(
            sorted(
                line
                for line in report["console"].splitlines()
                if "checksum" in line
            )
        )
    assert sums[0]
    assert sums[0] == sums[1] == sums[2]


@pytest.mark.images
@pytest.mark.parametrize("style", ["bare", "emulate"])
def test_harts_and_their_interleaving(shipped: Shipped, style: str) -> None:
    def run(*options: str) -> dict[str, object]:
        done = hv(
            *("run", "--style", style, "--append", "run=locks", "--json"),
            *(*options, shipped["kernel-native"].name),
        )
        assert done.status == 0
        return dict(json.loads(done.out))

    two = ("--harts", "2")
    plain, drawn = run(*two), run(*two, "--interleave", "7")
    assert plain["hash"] == run(*two)["hash"]
    assert drawn["hash"] == run(*two, "--interleave", "7")["hash"]
    assert len({plain["hash"], drawn["hash"], run()["hash"]}) == 3
    short = run(*two, "--interleave", "7", "--quantum", "50")
    assert short["hash"] != drawn["hash"]
    assert "2 harts" in str(plain["console"])


@pytest.mark.images
def test_the_demo(shipped: Shipped) -> None:
    assert "kernel-native" in shipped
    done = hv("demo")
    assert (done.status, done.err) == (0, "")
    assert "\x1b" not in done.out
    assert "killed hostile" in done.out
    head = "The same work alone, three ways:"
    bill, shown = (
        text.partition(head)[2].splitlines()
        for text in (done.out, (ROOT / "README.md").read_text())
    )
    shown = shown[: shown.index("```")]
    shown.remove("  ...")
    # Who has no other compiler gets this one; each makes numbers of its own.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (pinned,) = project["project"]["optional-dependencies"]["guests"]
    if find_compiler().version == pinned.replace("ziglang==", "zig "):
        assert [row for row in shown if row not in bill] == []
    kinds = [{row[:14].strip() for row in rows} for rows in (bill, shown)]
    assert kinds[1] <= kinds[0]

"""hv walk, hv pt, hv frames: what they print, draw and refuse."""

import json
from pathlib import Path

import pytest

from hv import images
from hv.cli import main
from tests.views.pictures import elements

pytestmark = pytest.mark.images

Capture = pytest.CaptureFixture[str]
KERNEL = "kernel-native"
COMMANDS = {
    "walk": ["walk", KERNEL, "schedule", "--at", "schedule"],
    "pt": ["pt", KERNEL, "--insns", "200000"],
    "pt-nested": ["pt", KERNEL, "--insns", "200000", "--style", "nested"],
    "frames": ["frames", KERNEL, "kernel-pv", "--insns", "300000"],
}

every = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture(autouse=True)
def _shipped() -> None:
    if KERNEL not in images.available():
        pytest.skip(f"no guest images: {images.missing()}")


def run(capsys: Capture, *words: str) -> tuple[int, str, str]:
    status = main(list(words))
    out, err = capsys.readouterr()
    return status, out, err


@every
def test_text_is_plain_and_80_columns(name: str, capsys: Capture) -> None:
    status, out, err = run(capsys, *COMMANDS[name])
    assert (status, err) == (0, "")
    assert out.isprintable() or out.isascii()
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80


@every
def test_json_is_one_object_of_the_same(name: str, capsys: Capture) -> None:
    status, out, _ = run(capsys, *COMMANDS[name], "--json")
    assert status == 0
    said = json.loads(out)
    if name == "walk":
        assert (said["verdict"], said["style"]) == ("ok", "emulate")
        assert said["machine"]["lookup"]["result"] == said["hpa"]
    elif name == "pt":
        assert said["rows"]
        assert set(said["roots"]) <= {s["number"] for s in said["shadows"]}
    elif name == "pt-nested":
        assert {row["stage2"]["state"] for row in said["rows"]} == {
            "same",
            "missing",
            "mmio",
        }
    else:
        totals = said["totals"].values()
        assert sum(n for by in totals for n in by.values()) == said["frames"]


@every
def test_a_picture_is_drawn_beside(
    name: str, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "x.svg"
    status, out, _ = run(capsys, *COMMANDS[name], "--svg", str(file))
    assert status == 0
    assert out
    assert elements(file.read_text())["svg"] == 1


@every
def test_the_same_command_shows_the_same(name: str, capsys: Capture) -> None:
    words = COMMANDS[name]
    first = run(capsys, *words)
    assert first == run(capsys, *words)
    assert first == run(capsys, *words, "--engine", "ref")


@pytest.mark.parametrize("style", ["bare", "emulate", "assist", "nested"])
def test_one_address_in_every_style(style: str, capsys: Capture) -> None:
    """At the same instruction, the guest's own tables say the same."""
    words = ["walk", "--style", style, "--access", "fetch", "--json"]
    status, out, _ = run(capsys, *words, KERNEL, "schedule", "--at", "schedule")
    said = json.loads(out)
    assert (status, said["verdict"]) == (0, "ok")
    bits = [e["bits"] for e in said["guest_tables"]["entries"]]
    assert bits == ["V.......", "VR.X.GAD"]


def test_addresses_are_hexadecimal_with_or_without_0x(capsys: Capture) -> None:
    first = run(capsys, "walk", KERNEL, "0x80400000")
    assert first[0] == 0
    assert run(capsys, "walk", KERNEL, "80400000") == first


WRONG = {
    "image": (["walk", "kernel-natve", "0"], "did you mean 'kernel-native'?"),
    "symbol": (["walk", KERNEL, "shedule"], "did you mean 'schedule'?"),
    "moment": (
        ["walk", KERNEL, "0", "--at", "shedule"],
        "did you mean 'schedule'?",
    ),
    "too high": (["walk", KERNEL, "0x100000000"], "an address must be in"),
    "no address": (["walk", KERNEL, "0xzz"], "write 0x80400000"),
    "access": (["walk", KERNEL, "0", "--access", "jump"], "'fetch'"),
    "style": (["walk", KERNEL, "0", "--style", "nest"], "'emulate'"),
    "vcpu": (["walk", KERNEL, "0", "--vcpu", "3"], "vcpu must be in 0..0"),
    "no shadows": (["pt", KERNEL, "--style", "bare"], "bare"),
    "svg": (["pt", KERNEL, "--svg", "x.png"], "--svg x.png"),
    "cell": (["frames", KERNEL, "--cell", "-1"], "-1"),
    "no image": (["frames"], "IMAGE"),
    "memory": (["frames", KERNEL, "--mem", "lots"], "not a size"),
    "command": (["frame"], "did you mean 'frames'?"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_2_and_one_line(name: str, capsys: Capture) -> None:
    words, message = WRONG[name]
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("hv: ")
    assert err.count("\n") == 1


def test_a_moment_that_does_not_come_is_4(capsys: Capture) -> None:
    words = ["walk", KERNEL, "0", "--at", "schedule", "--insns", "1000"]
    status, out, err = run(capsys, *words)
    assert (status, out) == (4, "")
    assert "did not come to schedule in 1000 instructions" in err


def test_a_guest_that_ends_before_the_moment(capsys: Capture) -> None:
    words = ["walk", KERNEL, "0", "--at", "0x1000"]
    status, out, err = run(capsys, *words)
    assert (status, out, err.count("\n")) == (1, "", 1)

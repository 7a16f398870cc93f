"""Every hostile kernel ends as it declares, alone and beside a good one."""

import json
import re
import subprocess
import sys
from functools import cache

import pytest

import hv
from hv import images
from tests.hostile.conftest import (
    ALL,
    BESIDE,
    BY_NAME,
    MEM,
    SOURCES,
    STYLES,
    VIRTUAL,
    Hostile,
    add,
    in_styles,
)

RAM = "40MiB"
SLICE = 10_000  # ticks of time; the default
CYCLES_PER_TICK = 10

# Programs of the good kernel: one computes, one mostly waits.
WORK = "run=crc,ping"
LINE = re.compile(r"^\[(\d+ \w+)\] (.*?)\r?$", re.MULTILINE)


@pytest.mark.parametrize("hostile", ALL, ids=lambda hostile: hostile.name)
def test_the_comment_declares_what_must_happen(hostile: Hostile) -> None:
    text = (SOURCES / f"{hostile.name}.c").read_text()
    assert text.startswith(f"/* {hostile.name}.c - ")
    comment = re.sub(r"\s+\*?\s*", " ", text.partition("*/")[0])
    assert "What must happen:" in comment
    assert set(hostile.styles) <= set(STYLES)
    assert hostile.end in ("killed", "refused", "contained")
    assert bool(hostile.reason) == (hostile.end == "killed")
    assert hostile.name in images.available()


def test_there_is_one_for_each_kind_of_end_in_each_style() -> None:
    ends = {(hostile.end, s) for hostile in ALL for s in hostile.styles}
    both = {(e, s) for e in ("refused", "contained") for s in STYLES}
    assert ends == both | {("killed", style) for style in VIRTUAL}


@pytest.mark.parametrize(("hostile", "style"), in_styles("bare"))
def test_the_bare_machine_refuses_the_same(
    hostile: Hostile, style: str
) -> None:
    assert style == "bare"
    with hv.Machine(ram=MEM) as machine:
        machine.load(images.find(hostile.name).path)
        machine.boot()
        hostile.check(machine, machine.run(hostile.budget))


@pytest.mark.parametrize(("hostile", "style"), in_styles(*VIRTUAL))
def test_it_ends_as_declared(hostile: Hostile, style: str) -> None:
    with hv.Hypervisor(ram="24MiB") as hypervisor:
        free = hypervisor.info.frames_free
        vm = add(hypervisor, hostile, style)
        hostile.check(vm, vm.run())
        hypervisor.audit()
        vm.destroy()
        hypervisor.audit()
        assert hypervisor.info.frames_free == free
        assert hypervisor.info.frames_reserved == 0


@pytest.mark.parametrize(("hostile", "style"), in_styles("direct"))
def test_it_ends_so_while_its_stores_are_logged(
    hostile: Hostile, style: str
) -> None:
    with hv.Hypervisor(ram="24MiB") as hypervisor:
        free = hypervisor.info.frames_free
        vm = add(hypervisor, hostile, style)
        vm.start_log()
        hypervisor.run(200_000)
        hypervisor.audit()
        vm.fetch_log()
        hostile.check(vm, vm.run())
        hypervisor.audit()
        vm.destroy()
        hypervisor.audit()
        assert hypervisor.info.frames_free == free


def _programs(vm: hv.VM) -> dict[str, list[str]]:
    """Return what each program printed; the kernel's own lines count ticks."""
    lines: dict[str, list[str]] = {}
    for name, line in LINE.findall(vm.console.text):
        lines.setdefault(name, []).append(line)
    return lines


def _boot_good(
    hypervisor: hv.Hypervisor, style: str, append: str = WORK
) -> hv.VM:
    vm = hypervisor.create(name="good", style=style)
    vm.load(images.kernel(style), append=append)
    vm.boot()
    return vm


@cache
def _alone(style: str) -> dict[str, list[str]]:
    with hv.Hypervisor(ram=RAM) as hypervisor:
        vm = _boot_good(hypervisor, style)
        vm.run_until("halt")
        return _programs(vm)


@pytest.mark.parametrize(("hostile", "style"), in_styles(*BESIDE))
def test_a_good_kernel_beside_it_does_not_notice(
    hostile: Hostile, style: str
) -> None:
    with hv.Hypervisor(ram=RAM) as hypervisor:
        bad = add(hypervisor, hostile, style)
        good = _boot_good(hypervisor, style)
        result = hypervisor.run(200_000_000)
        assert good.exit_code == 0
        assert _programs(good) == _alone(style)
        hostile.check(bad, result)
        hypervisor.audit()


STORMS = [hostile for hostile in ALL if hostile.end == "contained"]


@pytest.mark.parametrize(("hostile", "style"), in_styles(*VIRTUAL, only=STORMS))
def test_a_storm_gets_no_more_than_its_share(
    hostile: Hostile, style: str
) -> None:
    with hv.Hypervisor(ram=RAM) as hypervisor:
        bad = add(hypervisor, hostile, style, max_insns=0)
        good = _boot_good(hypervisor, style, "run=crc")
        good.run_until("halt")
        # Round robin, and work is charged to whom it is done for: at most a
        # slice ahead, and the exit during which the slice ended.
        ahead = bad.info.cycles - good.info.cycles
        assert ahead <= 2 * SLICE * CYCLES_PER_TICK


@pytest.mark.parametrize("style", VIRTUAL)
def test_nothing_is_left_of_a_vm_that_wrote_everywhere(style: str) -> None:
    hog, residue = BY_NAME["hostile-hog"], BY_NAME["hostile-residue"]
    with hv.Hypervisor(ram="8MiB") as hypervisor:
        for _ in range(2):
            first = add(hypervisor, hog, style)
            hog.check(first, first.run())
            first.destroy()
            second = add(hypervisor, residue, style)
            residue.check(second, second.run())
            second.destroy()
            hypervisor.audit()


@pytest.mark.parametrize("styles", [("emulate", "pv"), ("pv", "pv")])
def test_registers_hold_still_among_several_that_watch_theirs(
    styles: tuple[str, str],
) -> None:
    canary = BY_NAME["hostile-canary"]
    with hv.Hypervisor(ram=RAM, slice=100) as hypervisor:
        vms = [add(hypervisor, canary, style) for style in styles * 2]
        result = hypervisor.run()
        for vm in vms:
            canary.check(vm, result)
            assert vm.counters["switches"] > 20
        hypervisor.audit()


# All of them at once, as far as one machine has room.
PAIRS = [(h, style) for h in ALL for style in h.styles if style != "bare"]


@pytest.mark.parametrize("part", [PAIRS[::3], PAIRS[1::3], PAIRS[2::3]])
def test_many_of_them_at_once(part: list[tuple[Hostile, str]]) -> None:
    with hv.Hypervisor(ram="1GiB") as hypervisor:
        free = hypervisor.info.frames_free
        bad = [(h, add(hypervisor, h, style)) for h, style in part]
        good = _boot_good(hypervisor, "emulate")
        result = hypervisor.run()
        assert _programs(good) == _alone("emulate")
        hypervisor.audit()
        for hostile, vm in bad:
            hostile.check(vm, result)
            vm.destroy()
        good.destroy()
        assert hypervisor.info.frames_free == free


@pytest.mark.slow
@pytest.mark.parametrize(("hostile", "style"), in_styles(*VIRTUAL))
def test_the_audit_holds_at_every_exit(hostile: Hostile, style: str) -> None:
    with hv.Hypervisor(ram="8MiB", audit=True) as hypervisor:
        vm = add(hypervisor, hostile, style, max_insns=700_000)
        vm.run()
        hypervisor.audit()


@pytest.mark.parametrize(
    ("name", "status", "stderr"),
    [
        ("hostile-traploop", 3, "trap loop"),
        ("hostile-beyond", 0, ""),
        ("hostile-loop", 4, "1000000 instructions"),
    ],
)
@pytest.mark.parametrize("style", VIRTUAL)
def test_the_exit_status_says_how_it_ended(
    name: str, status: int, stderr: str, style: str
) -> None:
    command = [
        sys.executable, "-m", "hv", "run", "--style", style, "--mem", MEM,
        "--max-insns", "1000000", name,
    ]  # fmt: skip
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "BREACH" in done.stdout) == (status, False)
    assert stderr in done.stderr


def test_the_reason_is_in_the_json() -> None:
    command = [
        sys.executable, "-m", "hv", "run", "--json", "--style", "emulate",
        "hostile-siege",
    ]  # fmt: skip
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    facts = json.loads(done.stdout)
    assert done.returncode == 3
    assert facts["state"] == "killed"
    assert "trap loop" in facts["reason"]
    assert facts["console"].count(": refused") == 4

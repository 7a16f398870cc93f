"""One kernel, every way of running it: the same programs print the same."""

import pytest

import hv
from hv import images
from tests.guest.conftest import WORK, Outcome, run

VIRTUAL = [style.value for style in hv.Style]
ALL = {"crc", "crime", "forks", "hog", "init", "ping", "sieve"}


def test_the_whole_workload_on_the_bare_machine() -> None:
    outcome = run("bare", append="")
    assert outcome.exit_code == 0
    assert set(outcome.checksums) >= ALL
    assert "no page lost" in outcome.text


@pytest.mark.parametrize("style", VIRTUAL)
def test_the_same_output_in_a_vm(style: str, bare: Outcome) -> None:
    outcome = run(style)
    assert outcome.exit_code == 0
    assert outcome.programs == bare.programs
    assert outcome.checksums == bare.checksums


@pytest.mark.parametrize("style", VIRTUAL)
def test_the_smallest_pool_of_shadows_is_enough(
    style: str, bare: Outcome
) -> None:
    outcome = run(style, shadow_frames=4)
    assert outcome.exit_code == 0
    assert outcome.programs == bare.programs


@pytest.mark.parametrize("style", ["bare", *VIRTUAL])
def test_where_the_machine_leaves_accessed_and_dirty_to_software(
    style: str, bare: Outcome
) -> None:
    outcome = run(style, ad_fault=True)
    assert outcome.exit_code == 0
    assert outcome.programs == bare.programs


def test_the_native_kernel_sees_that_a_leaky_machine_lies() -> None:
    outcome = run("emulate", profile="leaky")
    assert outcome.exit_code not in (0, None)
    assert "sstatus lies" in outcome.text


def test_on_the_bare_leaky_machine_it_sees_nothing(bare: Outcome) -> None:
    assert run("bare", profile="leaky").programs == bare.programs


@pytest.mark.parametrize("style", ["pv", "direct"])
def test_the_pv_kernel_does_not_care(style: str, bare: Outcome) -> None:
    outcome = run(style, profile="leaky")
    assert outcome.exit_code == 0
    assert outcome.programs == bare.programs


def test_m_mode_as_machine_code(bare: Outcome) -> None:
    firmware = images.find("firmware").path
    with hv.Machine(firmware=str(firmware)) as machine:
        machine.load(images.find("kernel-native"), append=WORK)
        machine.boot()
        machine.run(500_000_000)
        assert machine.exit_code == 0
        text = machine.console.text
    assert Outcome(text, 0, 0).programs == bare.programs


@pytest.mark.parametrize("style", ["bare", *VIRTUAL])
def test_the_same_run_three_times_is_the_same_state(style: str) -> None:
    assert len({run(style).state_hash for _ in range(3)}) == 1


@pytest.mark.parametrize("style", VIRTUAL)
def test_what_the_hypervisors_memory_held_before_shows_nowhere(
    style: str,
) -> None:
    hashes = {run(style, fill=fill).state_hash for fill in (0x00, 0xA5)}
    assert len(hashes) == 1

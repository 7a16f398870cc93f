"""The tests of the machine find what one gets wrong about translation and H.

A record of planted.toml is a bug and the check that must fail with it. The
cores are built as in tests/equivalence: one compilation each, kept by content.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.equivalence.core import Planted, build, sources
from tests.machine import test_h_csr as h_csr
from tests.machine import test_h_traps as h_traps
from tests.machine import test_tlb as tlb
from tests.machine import test_views as views_kept
from tests.machine.core import Core, Machine
from tests.spec import test_two_stage as walks

RECORDS = Path(__file__).with_name("planted.toml")


def traps(core: Core) -> Machine:
    """Return a machine as the tests of traps have it."""
    return h_traps.ready(core)


def two_stage(core: Core) -> None:
    world = walks.World(core, ad_fault=False)
    for shape in walks.SHAPES.values():
        for name in walks.ENTRIES:
            if getattr(shape, name) is not None:
                walks.check_patterns(world, shape, name, 48)
    walks.check_marks(world)
    walks.check_random(world, 1, 1500)


def guest_page_fault(core: Core) -> None:
    for medeleg in (0, 0xFFFF_FFFF):
        h_traps.test_a_guest_page_fault_says_where(core, medeleg)


def mret(core: Core) -> None:
    for mode in h_csr.MODES:
        h_traps.test_mret_goes_where_mpp_and_mpv_say(traps(core), mode)


def exceptions(core: Core) -> None:
    for mode in h_csr.MODES:
        for mask in range(4):
            masks = [0xFFFF_FFFF * (mask >> i & 1) for i in range(2)]
            h_traps.test_who_gets_an_exception(traps(core), mode, *masks)


def interrupts(core: Core) -> None:
    for mode in h_csr.MODES:
        for flags in range(4):
            h_traps.test_who_gets_a_virtual_interrupt(
                traps(core), 2, flags & 1, mode, flags >> 1
            )


def vmids(core: Core) -> None:
    h_traps.test_vmids_keep_guests_apart(core)


def fences(core: Core) -> None:
    for _, word, drops in h_traps.FENCES:
        h_traps.test_what_fences_drop(core, word, drops)


def stages(core: Core) -> None:
    h_traps.test_bare_and_translated_are_apart_without_a_fence(core)


def sum_bit(core: Core) -> None:
    h_traps.test_sum_of_the_guest_is_vsstatus(core)


def sensitive(core: Core) -> None:
    for case in h_csr.SENSITIVE:
        h_csr.test_sensitive_instructions(h_csr.ready(core), case)


def numbers(core: Core) -> None:
    h_csr.test_all_numbers_in_all_modes(h_csr.ready(core), h_csr.VS)


def tables_in_ram(core: Core) -> None:
    walks.check_tables_outside_ram(walks.World(core, ad_fault=False))


def mpv_without_h(core: Core) -> None:
    h_traps.test_without_h_mpv_names_no_guest(core)


def fence_of_page_and_space(core: Core) -> None:
    tlb.test_a_fence_of_one_page_of_one_space_spares_the_others(core)


def views(core: Core) -> None:
    for change in views_kept.CHANGES:
        views_kept.test_a_change_holds_for_the_next_access(core, change)


def time(core: Core) -> None:
    h_csr.test_a_guests_time_has_its_own_zero(h_csr.ready(core))


CHECKS: dict[str, Callable[[Core], None]] = {
    check.__name__: check
    for check in (
        *(two_stage, guest_page_fault, mret, exceptions, interrupts, vmids),
        *(fences, stages, sum_bit, sensitive, numbers, time),
        *(tables_in_ram, mpv_without_h, fence_of_page_and_space, views),
    )
}


@dataclass(frozen=True, kw_only=True)
class Bug(Planted):
    """One record of planted.toml."""

    reason: str
    check: str

    def core_in(self, workdir: Path) -> Core:
        """Build and load the core that has this bug."""
        return Core(workdir, build(self.files()))


BUGS = Bug.read(RECORDS)


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_a_core_without_a_bug_passes(
    check: Callable[[Core], None], tmp_path: Path
) -> None:
    check(Core(tmp_path, build(sources())))


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_check_finds(bug: Bug, tmp_path: Path) -> None:
    core = bug.core_in(tmp_path)
    with pytest.raises(AssertionError):
        CHECKS[bug.check](core)

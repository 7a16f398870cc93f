"""What a change of the page tables costs in each way of following them."""

import subprocess
import sys

import pytest

from tests.control import programs
from tests.equivalence.core import ROOT as TREE
from tests.equivalence.core import sources
from tests.guest import bugged
from tests.guest.test_planted import library
from tests.machine.asm import program
from tests.memory import updates
from tests.memory.updates import (
    ALIAS,
    FRAMES,
    LEAVES,
    LIST,
    PAGES,
    ROOT,
    A,
    R,
    V,
    native,
    pte,
    run,
    update,
)

SET_ROOT, PT_UPDATE, SHUTDOWN, BATCH = 5, 7, 14, 64
STYLES = ["emulate", "assist"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("at", [LEAVES, ALIAS])
def test_strictly_traced_each_update_is_one_exit(style: str, at: int) -> None:
    """Through whichever mapping of the table it is made."""
    count = run(native(update(at=at)), style=style, sync="trace-strict")
    assert count["exit_trace"] == PAGES


@pytest.mark.parametrize("style", STYLES)
def test_traced_a_table_costs_one_exit_for_each_fence(style: str) -> None:
    count = run(native(update()), style=style, sync="trace")
    assert count["exit_trace"] == 1
    count = run(native(update(fence_each=True)), style=style, sync="trace")
    assert count["exit_trace"] == PAGES


@pytest.mark.parametrize("style", STYLES)
def test_lazily_a_store_to_a_table_is_not_even_seen(style: str) -> None:
    count = run(native(update()), style=style, sync="lazy")
    assert count["exit_trace"] == 0


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sync", ["lazy", "trace", "trace-strict"])
def test_lr_and_sc_on_a_table_make_progress(style: str, sync: str) -> None:
    count = run(native(updates.update_with_sc()), style=style, sync=sync)
    # An SC is never emulated: the table goes out of sync at the first one.
    assert count["exit_trace"] == (0 if sync == "lazy" else 1)


def test_told_a_batch_of_updates_is_one_exit() -> None:
    entries = b"".join(
        (LEAVES + 4 * n).to_bytes(4, "little")
        + pte(FRAMES + n * 0x1000, V | R | A).to_bytes(4, "little")
        for n in range(PAGES)
    )
    code = program(
        updates.hypercall(SET_ROOT, updates.SV32 | ROOT >> 12),
        updates.touch(),
        *(
            updates.hypercall(PT_UPDATE, LIST + 8 * n, BATCH)
            for n in range(0, PAGES, BATCH)
        ),
        updates.hypercall(SHUTDOWN, 0),
        programs.SPIN,
    )
    count = run(code, style="pv", data=entries)
    assert count["exit_hypercall"] == 1 + PAGES // BATCH + 1
    assert count["exit_trace"] == 0


def test_a_mapping_that_is_not_watched_is_found() -> None:
    """KVM 65855ed8b0, the other way round: mapped writable after the table."""
    bug = "    if (frame->traced || "
    files = sources()
    assert files["hyp/shadow.c"].count(bug) == 1
    files["hyp/shadow.c"] = files["hyp/shadow.c"].replace(bug, "    if (")
    command = [sys.executable, "-m", "tests.guest.bugged", str(library(files))]
    done = subprocess.run(
        [*command, "-m", "tests.memory.updates"],
        cwd=TREE,
        env=bugged.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "P9: a table that is traced is mapped writable" in done.stderr or (
        done.stdout.startswith("exits:") and done.stdout != f"exits: {PAGES}\n"
    ), done.stderr

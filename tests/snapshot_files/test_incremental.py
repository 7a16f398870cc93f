"""A VM that is saved while it runs is the VM that it is at the end.

The oracle is the image that :meth:`hv.VM.to_bytes` makes then: the same bytes.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import hv
from hv.incremental import (
    PAGE,
    Copy,
    Saver,
    runs,
    save_running,
    without_pages,
)
from hv.labs.puppets import DATA, FIRST, Puppet
from tests.snapshot_files.guests import (
    NIGHTLY,
    STYLES,
    boot,
    other,
    same_future,
)

SEEDS = range(100 if NIGHTLY else 3)


@contextmanager
def puppets(
    count: int = 1, style: str = "pv", **options: object
) -> Iterator[tuple[hv.Hypervisor, list[Puppet]]]:
    with other(ram="1MiB", engine="ref", **options) as host:
        yield host, [Puppet(host, 16, style) for _ in range(count)]


def touched(vm: hv.VM) -> set[int]:
    """Return the pages that have a frame."""
    pages = range(FIRST, FIRST + vm.info.mem_size // PAGE)
    return {gfn for gfn in pages if vm.frame_of(gfn) is not None}


@pytest.mark.images
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("speed", [300, 3000] if NIGHTLY else [700])
def test_a_kernel_that_runs_on(style: str, speed: int) -> None:
    with other() as host, other() as there, other() as whole:
        vm = boot(host, style)
        host.run(600_000)
        saved = save_running(vm, lambda pages: host.run(speed * pages))
        image = vm.to_bytes()
        assert saved.image == image
        assert saved.rounds[0] > 100
        assert 0 < saved.rounds[-1] <= 16
        copy = there.restore_vm(saved.image)
        whole.restore_vm(image)
        assert there.hash() == whole.hash()
        same_future(vm, copy, random.Random(speed))


@pytest.mark.parametrize("style", ["pv", "emulate", "nested"])
@pytest.mark.parametrize("seed", SEEDS)
def test_each_round_is_what_was_written(style: str, seed: int) -> None:
    dice = random.Random(f"{seed}{style}")
    with puppets(2, style) as (host, (guest, other_one)):
        guest.store(DATA, 0, 1)
        before = touched(guest.vm)
        saver, copy = Saver(guest.vm), Copy()
        first = saver.round()
        copy.put(first)
        assert (first.number, set(first.pages)) == (0, before)
        for number in range(1, 5):
            written = dice.sample(range(DATA, FIRST + 16), dice.randrange(4))
            for gfn in written:
                dice.choice((guest.store, guest.swap))(gfn, 8, number)
                assert guest.load(dice.choice(written), 8) != ""
                other_one.store(gfn, 0, 9)
            sent = saver.round()
            copy.put(sent)
            assert (sent.number, set(sent.pages)) == (number, set(written))
            for gfn, data in sent.pages.items():
                assert data == guest.vm.mem.read(gfn * PAGE, PAGE)
        guest.store(DATA + 2, 4, 0xABCD)
        last, rest = saver.end()
        copy.put(last)
        assert set(last.pages) == {DATA + 2}
        assert copy.image(rest) == guest.vm.to_bytes()
        with pytest.raises(hv.UsageError):
            guest.vm.fetch_log()  # it has ended
        host.audit()


def test_pages_that_come_and_go() -> None:
    """A balloon, pages that become equal, pages that become zero."""
    with puppets() as (host, (guest,)), other(ram="1MiB") as there:
        for i in range(6):
            guest.store(DATA + i, 0, i)
        saver, copy = Saver(guest.vm), Copy()
        copy.put(saver.round())
        assert guest.give(DATA, DATA + 1) == "success"
        guest.store(DATA + 2, 0, 5)  # equal to DATA + 5
        guest.store(DATA + 3, 0, 0)
        guest.store(DATA + 8, 0, 7)
        copy.put(saver.round())
        assert guest.take(DATA + 1) == "success"
        assert host.share() > 0
        last, rest = saver.end()
        copy.put(last)
        image = copy.image(rest)
        assert image == guest.vm.to_bytes()
        restored = there.restore_vm(image)
        assert restored.mem.read32((DATA + 8) * PAGE) == 7
        there.audit()


def test_a_page_written_while_it_is_read_comes_again() -> None:
    with puppets() as (_, (guest,)):
        vm = guest.vm
        read, calls = vm.mem.read, 0

        def racing(address: int, size: int) -> bytes:
            nonlocal calls
            calls += 1
            data = read(address, size)
            guest.store(DATA + calls % 5, 0, calls)
            return data

        saver, copy = Saver(vm), Copy()
        vm.mem.read = racing  # type: ignore[method-assign]
        for _ in range(4):
            copy.put(saver.round())
        vm.mem.read = read  # type: ignore[method-assign]
        last, rest = saver.end()
        copy.put(last)
        assert copy.image(rest) == vm.to_bytes()
        assert calls > 8


def test_one_that_never_rests_is_stopped() -> None:
    with puppets() as (_, (guest,)):
        told: list[int] = []
        for gfn in range(DATA, DATA + 9):
            guest.store(gfn, 0, 0)

        def run(pages: int) -> None:
            told.append(pages)
            for gfn in range(DATA, DATA + 9):
                guest.store(gfn, 0, len(told))

        saved = save_running(guest.vm, run, enough=8, most=5)
        assert saved.rounds == (11, 9, 9, 9, 9)
        assert told == [11, 9, 9, 9]
        assert saved.image == guest.vm.to_bytes()


def test_its_log_ends_whatever_happens() -> None:
    with puppets() as (host, (guest,)):

        def run(_: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            save_running(guest.vm, run, enough=0)
        guest.vm.start_log()
        with pytest.raises(hv.UsageError):
            Saver(guest.vm)
        assert guest.vm.fetch_log() == []  # whoever had it has it still
        guest.vm.stop_log()
        with Saver(guest.vm):
            guest.vm.destroy()
        host.audit()


def test_style_direct_is_refused_before_anything_is_done() -> None:
    with other() as host:
        vm = host.create(style="direct", mem="1MiB")
        with pytest.raises(hv.UsageError, match="direct"):
            Saver(vm)
        vm.start_log()  # nobody else has


def test_a_page_that_was_lost_or_is_old_is_noticed() -> None:
    with puppets() as (_, (guest,)), other(ram="1MiB") as there:
        guest.store(DATA, 0, 1)
        saver, copy = Saver(guest.vm), Copy()
        copy.put(saver.round())
        guest.store(DATA, 0, 2)
        last, rest = saver.end()
        with pytest.raises(hv.ImageError, match="checksum"):
            there.restore_vm(copy.image(rest))
        with pytest.raises(hv.ImageError, match="has not come"):
            Copy().image(rest)
        copy.put(last)
        there.restore_vm(copy.image(rest))


def test_bytes_that_are_no_image() -> None:
    with puppets() as (_, (guest,)):
        image = guest.vm.to_bytes()
    rest = without_pages(image)
    whole = dict.fromkeys(range(FIRST, FIRST + 16), bytes(PAGE))
    for size in range(len(rest)):
        copy = Copy()
        copy.pages.update(whole)
        try:
            copy.image(rest[:size])
        except hv.ImageError:
            continue
        list(runs(rest[:size]))  # the map is whole; a checksum is not looked at
    for junk in (b"", b"\x7fELF", bytes(4096), b"\xff" * 4096):
        with pytest.raises(hv.ImageError):
            without_pages(junk)
        with pytest.raises(hv.ImageError):
            list(runs(junk))

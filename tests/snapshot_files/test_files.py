"""A file holds all of what was saved last, or of what was before."""

import errno
import os
from pathlib import Path

import pytest

import hv
from hv import snapshots


class Failing(snapshots.Disk):
    """A disk on which the n-th step fails."""

    def __init__(self, steps: int, error: BaseException) -> None:
        self.steps, self.error = steps, error

    def _step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise self.error

    def write(self, fd: int, data: bytes) -> int:
        self._step()
        return super().write(fd, data[: len(data) // 2 + 1])

    def sync(self, fd: int) -> None:
        self._step()
        super().sync(fd)

    def replace(self, new: str, old: Path) -> None:
        self._step()
        super().replace(new, old)


OLD, NEW = b"old" * 9, os.urandom(300_000)


@pytest.mark.parametrize("old", [OLD, None])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()]
)
def test_an_interruption_at_any_step(
    tmp_path: Path, old: bytes | None, error: BaseException
) -> None:
    place = tmp_path / "vm.hv"
    expected = hv.HvError if isinstance(error, OSError) else type(error)
    failed, seen = 0, set()
    while True:
        place.unlink(missing_ok=True)
        if old is not None:
            place.write_bytes(old)
        try:
            snapshots.write_whole(place, NEW, Failing(failed, error))
        except expected:
            found = place.read_bytes() if place.exists() else None
            assert found in (old, NEW)
            seen.add(found == NEW)
            assert sorted(tmp_path.iterdir()) == [place] * (found is not None)
        else:
            break
        failed += 1
    assert failed > 10
    assert seen == {False, True}  # after the move, only the folder is synced
    assert place.read_bytes() == NEW


def test_a_vm_by_file(tmp_path: Path) -> None:
    place = tmp_path / "vm.hv"
    with hv.Hypervisor(ram="8MiB") as host:
        vm = host.create(mem="1MiB")
        vm.mem.write(0x8000_0000, b"hello")
        vm.save(place)
        copy = host.restore_vm(place, name="copy")
        assert copy.mem.read(0x8000_0000, 5) == b"hello"
        assert copy.name == "copy"
        with pytest.raises(hv.UsageError, match="there is a VM"):
            host.restore_vm(place, name="copy")
        with pytest.raises(hv.HvError, match="No such file"):
            vm.save(tmp_path / "nowhere" / "vm.hv")

"""Puppets that are saved, restored and forked, on any core."""

from tests.equivalence.core import CData, Core
from tests.memory.puppet import DATA, PAGE, Host, Puppet

FRAMES = 256
PAGES = 16


class Refused(Exception):  # noqa: N818 -- named for what happened
    """C has returned an error, and said why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Computer(Host):
    """A machine with the hypervisor on it, that saves and restores."""

    def __init__(
        self, core: Core, frames: int = FRAMES, **options: int
    ) -> None:
        super().__init__(core, frames, **options)
        self.core = core

    def explained(self, name: str, *args: object) -> None:
        """Call C with room for its reason, and expect success."""
        why = self.ffi.new("char[]", 256)
        status = getattr(self.lib, name)(self.raw, *args, why, 256)
        if status == self.lib.HV_ERR_BROKEN:
            raise AssertionError(self.text(self.lib.hv_host_reason(self.raw)))
        if status != self.lib.HV_OK:
            raise Refused(status, self.text(why))

    def image(self, name: str, *args: object) -> bytes:
        """Call C for an image."""
        out = self.ffi.new("hv_image **")
        self.explained(name, *args, out)
        size = self.lib.hv_image_size(out[0])
        data = self.ffi.new("uint8_t[]", size)
        assert self.lib.hv_image_read(out[0], 0, data, size) == size
        self.lib.hv_image_free(out[0])
        return bytes(self.ffi.buffer(data))

    def save(self, vm: Puppet) -> bytes:
        """Save a VM."""
        return self.image("hv_vm_save", vm.id)

    def restore(self, image: bytes, size: int | None = None) -> "Copy":
        """Restore a VM; from the first `size` bytes alone."""
        out = self.ffi.new("uint32_t *")
        data = self.ffi.from_buffer(image)
        length = len(image) if size is None else size
        self.explained("hv_vm_restore", data, length, out)
        return Copy(self, int(out[0]))

    def fork(self, vm: Puppet) -> "Copy":
        """Fork a VM."""
        out = self.ffi.new("uint32_t *")
        self.explained("hv_vm_fork", vm.id, out)
        return Copy(self, int(out[0]))

    def save_all(self, note: bytes = b"note") -> bytes:
        """Save the host."""
        return self.image("hv_host_save", note, len(note))

    def restored(self, image: bytes, engine: int = 1) -> "Computer":
        """Restore a host, beside this one."""
        out = self.ffi.new("hv_host **")
        why = self.ffi.new("char[]", 256)
        data = self.ffi.from_buffer(image)
        status = self.lib.hv_host_restore(
            data, len(image), engine, out, why, 256
        )
        if status == self.lib.HV_ERR_BROKEN:
            raise AssertionError(self.text(why))
        if status != self.lib.HV_OK:
            raise Refused(status, self.text(why))
        other = Computer.__new__(Computer)
        other.core, other.lib, other.ffi = self.core, self.lib, self.ffi
        other.raw = self.ffi.gc(out[0], self.lib.hv_host_free)
        return other

    def hash(self) -> int:
        """Return the state hash."""
        out = self.ffi.new("uint64_t *")
        self.ok(self.lib.hv_hash(self.raw, out))
        return int(out[0])

    def facts(self) -> tuple[int, ...]:
        """Return what a refusal must not change."""
        info = self.info
        return (
            self.hash(),
            info.frames_free,
            info.frames_reserved,
            info.frames_shared,
            info.vms,
        )


class Copy(Puppet):
    """A puppet that was not made, but restored or forked."""

    def __init__(self, host: Host, number: int) -> None:
        self.host, self.lib, self.ffi = host, host.lib, host.ffi
        self.id, self.vcpu = number, 0
        self._word = self.ffi.new("uint32_t *")
        info: CData = self.info
        self.pages = info.mem_size // PAGE
        self.pv = info.style == self.lib.HV_STYLE_PV


def registers(vm: Puppet) -> list[int]:
    """Return all registers."""
    return [vm.get(n) for n in range(34)]


def counters(vm: Puppet) -> list[int]:
    """Return all counters."""
    count = vm.lib.hv_counter_count(vm.lib.HV_COUNTERS_VM)
    out = vm.ffi.new("uint64_t[]", count)
    group = vm.lib.HV_COUNTERS_VM
    vm.host.ok(vm.lib.hv_counters(vm.host.raw, vm.id, group, out, count))
    return list(out)


def busy(host: Computer, style: str = "PV", **options: int) -> Puppet:
    """Make a puppet that has done some of everything."""
    vm = Puppet(host, PAGES, style, **options)
    for i in range(4):
        assert vm.change("store", DATA + i, 8 * i, 0x1234_5678 + i // 2)
    assert vm.change("amo", DATA + 4, 0, 7)
    assert vm.load(DATA + 5, 0) == 0
    return vm

"""A guest's memory, by guest-physical address."""

from hv.core import ffi, lib
from hv.errors import AddressError, UsageError
from hv.facts import U32, integer
from hv.host import Host


class Memory:
    """Read and write a guest's RAM. ``guest.mem`` is one.

    A read of memory that the guest never touched gives zeros and takes no
    frame; a write takes one. Device registers are not memory.
    """

    def __init__(self, host: Host, guest: int, size: int) -> None:
        self._host = host
        self._guest = guest
        self.base: int = lib.RAM_BASE
        self.size = size

    @property
    def end(self) -> int:
        """The first address above the guest's memory."""
        return self.base + self.size

    def read(self, address: int, size: int) -> bytes:
        """Return ``size`` bytes.

        :raises AddressError: if one of them is not in the guest's memory.
        """
        self._check(address, size)
        if not size:
            return b""
        buffer = ffi.new("uint8_t[]", size)
        self._host.checked(
            f"reading {size} bytes at {address:#x}",
            lib.hv_mem_read,
            self._guest,
            address,
            buffer,
            size,
        )
        return bytes(ffi.buffer(buffer, size))

    def write(self, address: int, data: bytes | bytearray) -> None:
        """Write bytes; all or, with an error, nothing.

        :raises AddressError: if one is not in the guest's memory.
        """
        if not isinstance(data, bytes | bytearray):
            raise UsageError(f"memory takes bytes, not {type(data).__name__}")
        self._check(address, len(data))
        if not data:
            return
        self._host.checked(
            f"writing {len(data)} bytes at {address:#x}",
            lib.hv_mem_write,
            self._guest,
            address,
            ffi.from_buffer(data),
            len(data),
        )

    def read32(self, address: int) -> int:
        """Return a little-endian word.

        :raises AddressError: if it is not in the guest's memory.
        """
        return int.from_bytes(self.read(address, 4), "little")

    def write32(self, address: int, value: int) -> None:
        """Write a little-endian word.

        :raises AddressError: if it is not in the guest's memory.
        """
        integer("a word", value, 0, U32)
        self.write(address, value.to_bytes(4, "little"))

    def zero(self, address: int, size: int) -> None:
        """Make bytes zero, touching no frame that is zero already.

        :raises AddressError: if one is not in the guest's memory.
        """
        step = 64 << 10
        for at in range(address, address + size, step):
            count = min(step, address + size - at)
            if any(self.read(at, count)):
                self.write(at, bytes(count))

    def _check(self, address: int, size: int) -> None:
        integer("an address", address, 0, U32)
        integer("a size", size, 0, U32)
        if address < self.base or address + size > self.end:
            raise AddressError(
                f"[{address:#x}, {address + size:#x}) is not in the guest's "
                f"memory [{self.base:#x}, {self.end:#x})"
            )

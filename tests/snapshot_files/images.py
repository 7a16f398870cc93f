"""The format of saved VMs, read a second time: take one apart, change it.

The fields come from the lists that C is made of (csrc/api/image_*.def); the
frame around them is written down here again.
"""

import re
import struct
from dataclasses import dataclass, field

from tests.equivalence.core import CSRC

MAGIC = b"\x89hvsave\n"
SIZES = {"uint8": 1, "uint32": 4, "uint64": 8}
COUNTS = {
    "32": 32,
    "NR_RUNSTATES": 4,
    "UART_FIFO": 16,
    "PLIC_SOURCES + 1": 32,
    "PLIC_CONTEXTS": 16,
    "MAX_HARTS": 8,
    "NR_SPENT": 3,
}
RECORDS = {
    "VM  ": "vm",
    "VCPU": "vcpu",
    "UART": "uart",
    "PLIC": "plic",
    "HOST": "host",
    "HART": "hart",
    "PLAC": "place",
    "TURN": "turn",
}
_FIELD = re.compile(r"^(FIELD|ARRAY)\((\w+), (\w+),\s*", re.MULTILINE)


@dataclass(frozen=True)
class Field:
    """One field of a record: where it is, and how wide."""

    name: str
    at: int
    size: int


def fields(record: str) -> dict[str, Field]:
    """Return the fields of a record by name; of an array, its first."""
    text = (CSRC / "api" / f"image_{record}.def").read_text()
    found, at = {}, 0
    for match in _FIELD.finditer(text):
        kind, ctype, name = match.groups()
        count = 1
        if kind == "ARRAY":
            count = COUNTS[text[match.end() :].split(",")[0]]
        found[name] = Field(name, at, SIZES[ctype])
        at += count * SIZES[ctype]
    return found


def checksum(data: bytes) -> int:
    """Return FNV-1a of 64 bits over all but the checksum itself."""
    total = 0xCBF29CE484222325
    for byte in data[:24] + data[32:]:
        total = (total ^ byte) * 0x100000001B3 & 0xFFFF_FFFF_FFFF_FFFF
    return total


def sealed(data: bytes) -> bytes:
    """Return an image with the length and the checksum that it needs."""
    head = data[:16] + struct.pack("<Q", len(data))
    return (
        head
        + struct.pack("<Q", checksum(data[:16] + head[16:] + data[24:]))
        + data[32:]
    )


@dataclass
class Image:
    """An image in its sections, in order, each of which can be changed."""

    kind: int
    sections: list[tuple[str, bytearray]] = field(default_factory=list)

    @classmethod
    def parse(cls, data: bytes) -> "Image":
        """Take a good image apart."""
        assert data[:8] == MAGIC
        version, kind, length, total = struct.unpack_from("<IIQQ", data, 8)
        assert (version, length) == (1, len(data))
        assert total == checksum(data)
        image, at = cls(kind), 32
        while at < len(data):
            tag, zero, size = struct.unpack_from("<4sIQ", data, at)
            assert zero == 0
            body = bytearray(data[at + 16 : at + 16 + size])
            image.sections.append((tag.decode(), body))
            at += 16 + size
        return image

    def pack(self) -> bytes:
        """Put it together again, with a right checksum."""
        body = b"".join(
            struct.pack("<4sIQ", tag.encode(), 0, len(data)) + data
            for tag, data in self.sections
        )
        return sealed(MAGIC + struct.pack("<IIQQ", 1, self.kind, 0, 0) + body)

    def section(self, tag: str, nth: int = 0) -> bytearray:
        """Return a section's bytes, to be changed in place."""
        return [data for name, data in self.sections if name == tag][nth]

    def get(self, tag: str, name: str, nth: int = 0) -> int:
        """Return the value of a field."""
        at = fields(RECORDS[tag])[name]
        data = self.section(tag, nth)[at.at : at.at + at.size]
        return int.from_bytes(data, "little")

    def set(self, tag: str, name: str, value: int, nth: int = 0) -> None:
        """Change a field."""
        at = fields(RECORDS[tag])[name]
        value &= (1 << 8 * at.size) - 1
        self.section(tag, nth)[at.at : at.at + at.size] = value.to_bytes(
            at.size, "little"
        )

    def runs(self, nth: int = 0) -> list[tuple[int, int, int]]:
        """Return the map of memory: count, what, index."""
        data = bytes(self.section("MAP ", nth))
        return list(struct.iter_unpack("<III", data))

    def set_runs(self, runs: list[tuple[int, int, int]], nth: int = 0) -> None:
        """Put another map in its place."""
        data = b"".join(struct.pack("<III", *run) for run in runs)
        self.section("MAP ", nth)[:] = data

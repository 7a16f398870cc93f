"""Make ELF32 files, right ones and wrong ones, field by field."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

KERNEL = 0x80400000
EHDR = struct.Struct("<16sHHIIIIIHHHHHH")
PHDR = struct.Struct("<8I")
PT_LOAD, RWX = 1, 7


@dataclass(frozen=True)
class Seg:
    """A program header and its bytes; None is what a linker would write."""

    paddr: int = KERNEL
    data: bytes = b"\x6f\0\0\0"  # j .
    memsz: int | None = None
    vaddr: int | None = None
    filesz: int | None = None
    offset: int | None = None
    kind: int = PT_LOAD


def elf(
    *segs: Seg,
    entry: int | None = None,
    magic: bytes = b"\x7fELF",
    bits: int = 1,
    order: int = 1,
    version: int = 1,
    kind: int = 2,
    machine: int = 243,
    flags: int = 0,
    phentsize: int = PHDR.size,
    phnum: int | None = None,
    phoff: int = EHDR.size,
) -> bytes:
    """Return an executable; every keyword lies about one field."""
    segs = segs or (Seg(),)
    ident = magic + bytes((bits, order, version)) + bytes(9)
    header = EHDR.pack(
        ident,
        kind,
        machine,
        1,
        segs[0].paddr if entry is None else entry,
        phoff,
        0,
        flags,
        EHDR.size,
        phentsize,
        len(segs) if phnum is None else phnum,
        0,
        0,
        0,
    )
    at = EHDR.size + len(segs) * PHDR.size
    table, body = b"", b""
    for seg in segs:
        filesz = len(seg.data) if seg.filesz is None else seg.filesz
        table += PHDR.pack(
            seg.kind,
            at + len(body) if seg.offset is None else seg.offset,
            seg.paddr if seg.vaddr is None else seg.vaddr,
            seg.paddr,
            filesz,
            len(seg.data) if seg.memsz is None else seg.memsz,
            RWX,
            4,
        )
        body += seg.data
    return header + table + body


def words(code: Iterable[int]) -> bytes:
    """Return instructions as bytes."""
    code = list(code)
    return struct.pack(f"<{len(code)}I", *code)


def kernel(code: Sequence[int]) -> bytes:
    """Return an ELF file that executes these instructions in S-mode."""
    return elf(Seg(data=words(code)))

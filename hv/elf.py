"""Read a guest's image: what must be where in memory, and nothing more.

Loading decides what a stranger's file may do to us, so the few header fields
that matter are read here, with every check in sight; symbols, which are only
for people, are left to pyelftools. Format: System V ABI, ELF-32, and the
RISC-V ELF psABI for the flags.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from hv.errors import ImageError

_EHDR = struct.Struct("<16sHHIIIIIHHHHHH")
_PHDR = struct.Struct("<8I")
_EM_RISCV = 243
_PT_LOAD, _PT_INTERP = 1, 3
_MAX_PHDRS = 64

_MACHINES = {
    3: "x86", 8: "MIPS", 20: "PowerPC", 21: "PowerPC-64", 22: "S/390",
    40: "ARM", 62: "x86-64", 183: "AArch64", 247: "BPF", 258: "LoongArch",
}  # fmt: skip
_TYPES = {
    1: "an object file; link it",
    3: "position-independent; link it with -no-pie",
    4: "a core dump",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of memory and what is in it; zeros follow up to ``size``."""

    base: int
    data: bytes
    size: int

    @property
    def end(self) -> int:
        """The first address above it."""
        return self.base + self.size


@dataclass(frozen=True, slots=True)
class Program:
    """What an image asks for: segments by physical address, and the entry."""

    name: str
    segments: tuple[Segment, ...]
    entry: int


def is_elf(data: bytes) -> bool:
    """Return whether a file says that it is ELF."""
    return data[:4] == b"\x7fELF"


def read_elf(name: str, data: bytes) -> Program:
    """Return what an ELF32 RISC-V executable asks for.

    Physical addresses (p_paddr) count; an entry given as a virtual address
    is translated by the segment that has it.

    :raises ImageError: saying what is wrong with the file and where.
    """
    ident = data[:16]
    if not is_elf(data):
        raise ImageError(
            f"{name}: not an ELF file (it begins with {data[:4].hex(' ')}); "
            "a flat image is named .bin, or loaded with --flat"
        )
    if len(data) < 16:
        raise ImageError(f"{name}: truncated: {len(data)} bytes, no ELF header")
    _check_ident(name, ident)
    if len(data) < _EHDR.size:
        raise ImageError(
            f"{name}: truncated: {len(data)} bytes, "
            f"an ELF32 header has {_EHDR.size}"
        )
    (_, kind, machine, _, entry, phoff, _, flags, _, phentsize, phnum, *_) = (
        _EHDR.unpack_from(data)
    )
    if machine != _EM_RISCV:
        known = _MACHINES.get(machine, f"machine {machine}")
        raise ImageError(f"{name}: built for {known}, not for RISC-V")
    if kind != 2:
        known = _TYPES.get(kind, f"of type {kind}")
        raise ImageError(f"{name}: not an executable: it is {known}")
    _check_flags(name, flags)
    if phnum and phentsize != _PHDR.size:
        raise ImageError(
            f"{name}: program headers of {phentsize} bytes, "
            f"ELF32 has {_PHDR.size}"
        )
    if phnum > _MAX_PHDRS:
        raise ImageError(
            f"{name}: {phnum} program headers; at most {_MAX_PHDRS} make sense"
        )
    if phoff + phnum * _PHDR.size > len(data):
        raise ImageError(
            f"{name}: truncated: program headers end at "
            f"{phoff + phnum * _PHDR.size:#x}, the file at {len(data):#x}"
        )
    headers = [
        _PHDR.unpack_from(data, phoff + i * _PHDR.size) for i in range(phnum)
    ]
    return _program(name, data, headers, entry)


def _check_ident(name: str, ident: bytes) -> None:
    if ident[4] != 1:
        bits = "64-bit" if ident[4] == 2 else f"of ELF class {ident[4]}"
        raise ImageError(
            f"{name}: {bits}; the machine is 32-bit: build for rv32ima"
        )
    if ident[5] != 1:
        order = "big-endian" if ident[5] == 2 else f"of byte order {ident[5]}"
        raise ImageError(f"{name}: {order}; the machine is little-endian")
    if ident[6] != 1:
        raise ImageError(f"{name}: of ELF version {ident[6]}, not 1")


def _check_flags(name: str, flags: int) -> None:
    for mask, what in (
        (0x1, "compressed instructions"),
        (0x6, "a floating-point ABI"),
        (0x8, "the RV32E ABI"),
    ):
        if flags & mask:
            raise ImageError(
                f"{name}: uses {what}, which the machine has not: "
                "build with -march=rv32ima -mabi=ilp32"
            )


def _program(
    name: str, data: bytes, headers: list[tuple[int, ...]], entry: int
) -> Program:
    segments: list[Segment] = []
    physical: int | None = None
    for i, header in enumerate(headers):
        kind, offset, vaddr, paddr, filesz, memsz, _, _ = header
        where = f"{name}: segment {i}"
        if kind == _PT_INTERP:
            raise ImageError(f"{where}: a dynamic linker; link statically")
        if kind != _PT_LOAD or memsz == filesz == 0:
            continue
        _check_segment(where, header, len(data))
        segments.append(Segment(paddr, data[offset : offset + filesz], memsz))
        if physical is None and vaddr <= entry < vaddr + memsz:
            physical = entry - vaddr + paddr
    if not segments:
        raise ImageError(f"{name}: no loadable segment")
    if physical is None:
        raise ImageError(f"{name}: entry {entry:#x} is outside every segment")
    if physical % 4:
        raise ImageError(f"{name}: entry {entry:#x} is not a multiple of 4")
    return Program(name, tuple(segments), physical)


def _check_segment(where: str, header: tuple[int, ...], size: int) -> None:
    _, offset, vaddr, paddr, filesz, memsz, _, _ = header
    if filesz > memsz:
        raise ImageError(
            f"{where}: {filesz:#x} bytes of file for {memsz:#x} of memory"
        )
    if offset + filesz > size:
        raise ImageError(
            f"{where}: truncated: its bytes end at {offset + filesz:#x}, "
            f"the file at {size:#x}"
        )
    if max(vaddr, paddr) + memsz > 1 << 32:
        raise ImageError(
            f"{where}: {memsz:#x} bytes at {max(vaddr, paddr):#x} "
            "go past the 32-bit address space"
        )


def read_symbols(data: bytes) -> dict[str, int]:
    """Return an ELF file's functions and objects by name; {} if unreadable.

    Symbols help people and decide nothing, so a broken table is no error.
    """
    return dict(_symbols(data))


@lru_cache(maxsize=32)  # the same kernel is often loaded into many VMs
def _symbols(data: bytes) -> tuple[tuple[str, int], ...]:
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 -- slow
    from elftools.elf.sections import SymbolTableSection  # noqa: PLC0415

    try:
        table = ELFFile(BytesIO(data)).get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            return ()
        return tuple(
            (symbol.name, int(symbol["st_value"]))
            for symbol in table.iter_symbols()
            if symbol["st_shndx"] != "SHN_UNDEF"
            and symbol["st_info"]["type"] not in ("STT_FILE", "STT_SECTION")
            and symbol.name
            and symbol.name[0] not in ".$"  # the assembler's own
        )
    except Exception:  # noqa: BLE001 -- pyelftools raises what it likes
        return ()

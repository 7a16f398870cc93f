"""Images: the right ones load, every wrong one is a sentence."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import hv
from hv.loader import MAX_FILE
from tests.control import fdt
from tests.control.elfs import EHDR, KERNEL, PHDR, Seg, elf, words
from tests.control.programs import SPIN

RAM, SIZE = 0x80000000, 16 << 20
END = RAM + SIZE
PAGE = 4096


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


def load(folder: Path, data: bytes, name: str = "kernel.elf") -> hv.Layout:
    path = folder / name
    path.write_bytes(data)
    with hv.Machine(ram=SIZE) as machine:
        return machine.load(path)


WRONG = {
    "empty": (b"", "empty"),
    "text": (b"#!/bin/sh\n", "not an ELF file (it begins with 23 21 2f 62)"),
    "magic only": (b"\x7fELF", "truncated: 4 bytes"),
    "half a header": (
        elf()[:40],
        "truncated: 40 bytes, an ELF32 header has 52",
    ),
    "64-bit": (elf(bits=2), "64-bit; the machine is 32-bit"),
    "64-bit, short": (elf(bits=2)[:20], "64-bit"),
    "no class": (elf(bits=0), "of ELF class 0"),
    "big-endian": (elf(order=2), "big-endian"),
    "no order": (elf(order=7), "of byte order 7"),
    "version": (elf(version=9), "of ELF version 9"),
    "x86-64": (elf(machine=62), "built for x86-64, not for RISC-V"),
    "ARM": (elf(machine=40), "built for ARM"),
    "unknown": (elf(machine=999), "built for machine 999"),
    "object": (elf(kind=1), "an object file; link it"),
    "pie": (elf(kind=3), "position-independent"),
    "core": (elf(kind=4), "a core dump"),
    "type": (elf(kind=0xFE00), "of type 65024"),
    "compressed": (elf(flags=1), "compressed instructions"),
    "hard float": (elf(flags=4), "floating-point ABI"),
    "rv32e": (elf(flags=8), "RV32E"),
    "phentsize": (elf(phentsize=56), "program headers of 56 bytes"),
    "no phdrs": (elf(phnum=0), "no loadable segment"),
    "many phdrs": (elf(phnum=65535), "65535 program headers"),
    "phdrs cut": (elf(phnum=3), "truncated: program headers end at"),
    "phdrs far": (elf(phoff=0xFFFFFFF0), "truncated: program headers end at"),
    "note only": (elf(Seg(kind=4)), "no loadable segment"),
    "empty segment": (elf(Seg(data=b"")), "no loadable segment"),
    "dynamic": (elf(Seg(), Seg(kind=3)), "a dynamic linker; link statically"),
    "segment cut": (elf()[:-1], "segment 0: truncated"),
    "segment far": (elf(Seg(offset=0xFFFFFFFF)), "segment 0: truncated"),
    "more file than memory": (elf(Seg(memsz=2)), "4 bytes of file"),
    "wraps": (
        elf(Seg(paddr=0xFFFFF000, memsz=0x2000)),
        "go past the 32-bit address space",
    ),
    "wraps virtually": (
        elf(Seg(vaddr=0xFFFFFFFF)),
        "go past the 32-bit address space",
    ),
    "below RAM": (
        elf(Seg(paddr=0x1000)),
        "kernel.elf: [0x1000, 0x1004) is outside RAM [0x80000000, 0x81000000)",
    ),
    "above RAM": (elf(Seg(paddr=END)), "is outside RAM"),
    "across the end": (elf(Seg(paddr=END - 4, memsz=8)), "is outside RAM"),
    "huge": (elf(Seg(memsz=SIZE)), "the guest has 16MiB"),
    "huge and empty": (elf(Seg(memsz=0x7FC00000)), "is outside RAM"),
    "overlap": (
        elf(Seg(memsz=PAGE), Seg(paddr=KERNEL + 100)),
        "kernel.elf at 0x80400064 overlaps kernel.elf [0x80400000, 0x80401000)",
    ),
    "same place": (elf(Seg(), Seg()), "overlaps"),
    "over the tree": (
        elf(Seg(memsz=END - KERNEL)),
        "the device tree at 0x80fff000 overlaps kernel.elf",
    ),
    "entry before": (elf(entry=KERNEL - 4), "is outside every segment"),
    "entry after": (elf(entry=KERNEL + 4), "is outside every segment"),
    "entry nowhere": (elf(entry=0), "entry 0x0 is outside every segment"),
    "entry odd": (
        elf(Seg(data=bytes(8)), entry=KERNEL + 2),
        "is not a multiple of 4",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_image_is_a_sentence(folder: Path, name: str) -> None:
    data, message = WRONG[name]
    with pytest.raises(hv.ImageError) as caught:
        load(folder, data)
    text = str(caught.value)
    assert message in text
    assert text.startswith(("kernel.elf", str(folder), "the device tree"))
    assert "\n" not in text


def test_a_refused_image_leaves_nothing_behind(folder: Path) -> None:
    path = folder / "kernel.elf"
    with hv.Hypervisor() as hypervisor:
        vm = hypervisor.create()
        before = hypervisor.hash()
        for data, _ in WRONG.values():
            path.write_bytes(data)
            with pytest.raises(hv.ImageError):
                vm.load(path)
        assert hypervisor.hash() == before
        assert vm.info.frames == 0
        assert vm.layout is None
        with pytest.raises(hv.UsageError, match=r"load\(\) first"):
            vm.boot()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.elf", "No such file"),
        ("", "a directory"),
        ("kernel.elf/x", "Not a directory"),
    ],
)
def test_no_file(folder: Path, name: str, message: str) -> None:
    (folder / "kernel.elf").write_bytes(elf())
    with (
        hv.Machine() as machine,
        pytest.raises(hv.ImageError, match=message),
    ):
        machine.load(folder / name)


def test_a_path_with_a_nul(folder: Path) -> None:
    with hv.Machine() as machine, pytest.raises(hv.ImageError):
        machine.load(str(folder / "a\0b"))


def test_a_file_that_is_larger_than_any_guest(folder: Path) -> None:
    path = folder / "sparse.elf"
    with path.open("wb") as file:
        file.truncate(MAX_FILE + 1)
    with hv.Machine() as machine, pytest.raises(hv.ImageError, match="at most"):
        machine.load(path)


def test_segments_lie_where_they_were_linked(folder: Path) -> None:
    path = folder / "kernel.elf"
    text, data = words(SPIN), b"data"
    path.write_bytes(
        elf(Seg(data=text), Seg(paddr=KERNEL + PAGE, data=data, memsz=PAGE))
    )
    with hv.Machine(ram=SIZE) as machine:
        machine.mem.write(KERNEL + PAGE, b"\xaa" * PAGE)
        layout = machine.load(path, append="hello")
        assert layout.entry == KERNEL
        assert machine.mem.read(KERNEL, 4) == text
        assert machine.mem.read(KERNEL + PAGE, PAGE) == data.ljust(PAGE, b"\0")
        tree = fdt.parse(_blob(machine, layout.dtb))
        assert tree.at("chosen").strings("bootargs") == ["hello"]
        machine.boot()
        assert machine.cpu[0].pc == layout.entry
        assert machine.cpu[0].a0 == 0
        assert machine.cpu[0].a1 == layout.dtb
        assert machine.cpu[0].priv == "S"


def _blob(guest: hv.Guest, dtb: int) -> bytes:
    size = int.from_bytes(guest.mem.read(dtb + 4, 4), "big")
    assert dtb + size <= guest.mem.end
    return guest.mem.read(dtb, size)


def test_an_entry_may_be_virtual(folder: Path) -> None:
    data = elf(Seg(data=bytes(64), vaddr=0xC0000000), entry=0xC0000020)
    assert load(folder, data).entry == KERNEL + 0x20


@pytest.mark.parametrize("size", [1, PAGE - 1, PAGE, PAGE + 1, 100_000])
def test_a_ram_disk_lies_below_the_tree(folder: Path, size: int) -> None:
    disk = folder / "disk"
    content = bytes(i % 251 for i in range(size))
    disk.write_bytes(content)
    (folder / "kernel.elf").write_bytes(elf())
    with hv.Machine(ram=SIZE) as machine:
        layout = machine.load(folder / "kernel.elf", initrd=disk)
        assert layout.initrd is not None
        start, end = layout.initrd
        assert start % PAGE == 0
        assert end - start == size
        assert end <= layout.dtb
        assert machine.mem.read(start, size) == content
        chosen = fdt.parse(_blob(machine, layout.dtb)).at("chosen")
        assert chosen.cells("linux,initrd-start") == [start]
        assert chosen.cells("linux,initrd-end") == [end]


def test_a_ram_disk_that_does_not_fit(folder: Path) -> None:
    disk = folder / "disk"
    disk.write_bytes(bytes(13 << 20))
    (folder / "kernel.elf").write_bytes(elf())
    with hv.Machine(ram=SIZE) as machine:
        with pytest.raises(hv.ImageError, match="initrd"):
            machine.load(folder / "kernel.elf", initrd=disk)
        disk.write_bytes(b"")
        with pytest.raises(hv.ImageError, match="the initrd is empty"):
            machine.load(folder / "kernel.elf", initrd=disk)


def test_a_flat_image_goes_to_the_kernel_base(folder: Path) -> None:
    layout = load(folder, words(SPIN), "kernel.bin")
    assert layout.entry == KERNEL
    with hv.Machine(ram=SIZE) as machine:
        path = folder / "kernel"
        path.write_bytes(words(SPIN))
        with pytest.raises(hv.ImageError, match="--flat"):
            machine.load(path)
        assert machine.load(path, flat=True, base=RAM).entry == RAM
        with pytest.raises(hv.UsageError, match="multiple of 4"):
            machine.load(path, flat=True, base=RAM + 1)
        with pytest.raises(hv.ImageError, match="outside RAM"):
            machine.load(path, flat=True, base=0)


def test_a_firmware_is_told_where_the_kernel_is(folder: Path) -> None:
    firmware, kernel = folder / "firmware.elf", folder / "kernel.elf"
    firmware.write_bytes(elf(Seg(paddr=RAM, data=words(SPIN))))
    kernel.write_bytes(elf(Seg(data=bytes(64)), entry=KERNEL + 32))
    with hv.Machine(ram=SIZE, firmware=firmware) as machine:
        layout = machine.load(kernel)
        info = [machine.mem.read32(layout.info + 4 * i) for i in range(6)]
        assert info == [0x4942534F, 2, KERNEL + 32, 1, 0, 0]
        machine.boot()
        cpu = machine.cpu[0]
        assert (cpu.pc, cpu.a1, cpu.a2) == (RAM, layout.dtb, layout.info)
        assert cpu.priv == "M"


def test_a_kernel_over_the_firmware(folder: Path) -> None:
    firmware = folder / "firmware.elf"
    firmware.write_bytes(elf())
    kernel = folder / "kernel.elf"
    kernel.write_bytes(elf())
    with (
        hv.Machine(firmware=firmware) as machine,
        pytest.raises(hv.ImageError, match=r"overlaps firmware\.elf"),
    ):
        machine.load(kernel)


def test_a_second_boot(folder: Path) -> None:
    (folder / "kernel.elf").write_bytes(elf())
    with hv.Machine() as machine:
        machine.load(folder / "kernel.elf")
        machine.boot()
        with pytest.raises(hv.UsageError):
            machine.boot()
        with pytest.raises(hv.UsageError, match="booted already"):
            machine.load(folder / "kernel.elf")


# -- nothing but ImageError, whatever the file -------------------------------

MACHINE = hv.Machine(ram=SIZE)
GOOD = elf(
    Seg(data=words(SPIN) * 8, memsz=64),
    Seg(paddr=KERNEL + PAGE, data=b"data", memsz=PAGE),
)
INTERESTING = [0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF]


def survives(folder: Path, data: bytes, name: str) -> None:
    path = folder / name
    path.write_bytes(data)
    try:
        layout = MACHINE.load(path)
    except hv.ImageError as error:
        assert str(error)  # noqa: PT017
    else:
        assert RAM <= layout.entry < END


@given(data=st.binary(max_size=300), name=st.sampled_from(["a.elf", "a.bin"]))
@example(data=b"\x7fELF" + bytes(48), name="a.bin")
def test_random_bytes(folder: Path, data: bytes, name: str) -> None:
    survives(folder, data, name)


@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, EHDR.size + 2 * PHDR.size - 1),
            st.sampled_from(INTERESTING) | st.integers(0, 255),
        ),
        min_size=1,
        max_size=8,
    ),
    cut=st.none() | st.integers(0, len(GOOD)),
)
def test_mutated_images(
    folder: Path, edits: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(GOOD)
    for at, value in edits:
        data[at] = value
    survives(folder, bytes(data[:cut]), "a.elf")


@given(
    fields=st.lists(
        st.sampled_from([0, 1, PAGE, KERNEL, END, 2**31, 2**32 - 1])
        | st.integers(0, 2**32 - 1),
        min_size=8,
        max_size=8,
    )
)
def test_any_program_header(folder: Path, fields: list[int]) -> None:
    data = bytearray(GOOD)
    PHDR.pack_into(data, EHDR.size, 1, *fields[1:])
    survives(folder, bytes(data), "a.elf")

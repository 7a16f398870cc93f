"""A core whose n-th request for memory fails, and what is asked of it then."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from tests.equivalence.core import CFLAGS, CData, Core, build, sources

HERE = Path(__file__).parent
RENAMED = tuple(
    f"-D{name}=alloc_{name}" for name in ("malloc", "calloc", "realloc", "free")
)
RAM = 0x8000_0000
PAGE = 4096
# sstatus, sie, stvec, sscratch, sepc, scause, stval, satp
KERNEL = (0x100, 0x104, 0x105, 0x140, 0x141, 0x142, 0x143, 0x180)
SEED = 11  # of a program that pages, traps and prints


class AllocCore(Core):
    """A core, and the hand on its memory."""

    def __init__(self, library: Path) -> None:
        super().__init__(library)
        # Its libc's names are ours to define once more: none is called.
        lines = (HERE / "alloc.h").read_text().splitlines()
        kept = [
            li for li in lines if li.startswith(("void ", "uint64", "int64"))
        ]
        self.ffi.cdef("\n".join(kept))
        self.lib = self.ffi.dlopen(str(library))


def alloc_library(
    files: Mapping[str, str] | None = None,
    extra: Mapping[str, tuple[str, ...]] | None = None,
    flags: tuple[str, ...] = CFLAGS,
) -> Path:
    """Build these sources of csrc (default: as they are), to be loaded so.

    The arena is another: in it, too, each block is a request. ``extra`` has
    more flags for single files.
    """
    files = {**(sources() if files is None else files)}
    files["machine/arena.c"] = (HERE / "arena.c").read_text()
    del files["machine/arena_copy.c"]
    single = {
        name: RENAMED for name, text in files.items() if "<stdlib.h>" in text
    }
    own = "../tests/robust/alloc.c"
    single[own] = (f"-I{HERE}",)
    for name, more in (extra or {}).items():
        single[name] = (*single.get(name, ()), *more)
    text = (HERE / "alloc.c").read_text()
    return build({**files, own: text}, flags=flags, extra=single)


@cache
def good() -> AllocCore:
    """Return the core as it is."""
    return AllocCore(alloc_library())


class World:
    """A host, perhaps with a VM that runs a random program, and its answers."""

    def __init__(self, core: AllocCore, **options: int) -> None:
        self.core, self.ffi, self.lib = core, core.ffi, core.lib
        self.raw: CData = core.ffi.NULL
        self.config = core.config(ram_size=512 * PAGE, **options)
        self.vm = 0
        self.kept = 0  # blocks that a call has not given back

    def cost(self, step: str, cycles: int) -> None:
        """Change what an elementary step takes."""
        for i in range(self.lib.hv_cost_count()):
            if self.ffi.string(self.lib.hv_cost_name(i)) == step.encode():
                self.config.cost[i] = cycles

    def make(self) -> int:
        """Make the host."""
        out = self.ffi.new("hv_host **")
        status = int(self.lib.hv_host_new(self.config, out, self.ffi.NULL, 0))
        self.raw = out[0]
        assert (self.raw == self.ffi.NULL) is (status != self.lib.HV_OK)
        return status

    def create(self, style: str = "EMULATE", **options: int) -> int:
        """Make a VM of the size of a random program."""
        config = self.ffi.new("struct hv_vm_config *")
        self.lib.hv_vm_config_default(config)
        config.style = getattr(self.lib, f"HV_STYLE_{style}")
        config.mem_size = self.lib.HV_PRIVGEN_RAM
        for name, value in options.items():
            setattr(config, name, value)
        out = self.ffi.new("uint32_t *")
        status = int(
            self.lib.hv_vm_create(self.raw, config, out, self.ffi.NULL, 0)
        )
        self.vm = int(out[0]) if status == self.lib.HV_OK else self.vm
        return status

    def boot(self, image: bytes | None = None) -> int:
        """Put a program into the guest, a random one if none is given."""
        if image is None:
            size = self.lib.HV_PRIVGEN_RAM
            buffer = self.ffi.new("uint8_t[]", size)
            assert self.lib.hv_privgen(SEED, 0, buffer, size) == self.lib.HV_OK
            image = bytes(self.ffi.buffer(buffer))
        status = self.lib.hv_mem_write(
            self.raw, self.vm, RAM, image, len(image)
        )
        return int(status) or int(
            self.lib.hv_vm_boot(self.raw, self.vm, RAM, 0, 0)
        )

    def run(self, insns: int) -> int:
        """Run for so many instructions, or until all wait or have ended."""
        run = self.ffi.new("struct hv_run *", {"max_insns": insns})
        return int(self.lib.hv_run(self.raw, run))

    def hash(self) -> int:
        """Return the hash of all that guests can tell."""
        out = self.ffi.new("uint64_t *")
        assert self.lib.hv_hash(self.raw, out) == self.lib.HV_OK
        return int(out[0])

    def told(self) -> tuple[object, ...]:
        """Return what the guest can tell: its registers and its memory."""
        value = self.ffi.new("uint32_t *")
        values = []
        for reg in (*range(34), *(0x1000 + csr for csr in KERNEL)):
            assert self.lib.hv_reg_get(self.raw, self.vm, 0, reg, value) == 0
            values.append(int(value[0]))
        size = self.lib.HV_PRIVGEN_RAM
        memory = self.ffi.new("uint8_t[]", size)
        assert self.lib.hv_mem_read(self.raw, self.vm, RAM, memory, size) == 0
        return (*values, bytes(self.ffi.buffer(memory)))

    def audit(self) -> int:
        """Recompute everything."""
        return int(self.lib.hv_audit(self.raw, self.ffi.NULL, 0))

    def close(self) -> None:
        """Give everything back, twice if need be."""
        self.lib.hv_host_free(self.raw)
        self.raw = self.ffi.NULL


Act = Callable[[World], int]
Ready = Callable[[AllocCore], World]

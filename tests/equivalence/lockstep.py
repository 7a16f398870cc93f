"""Drive the lockstep of csrc/api/lockstep.c, and explain what it finds.

A batch of programs runs in C. When one differs, Python takes over: an unfenced
program may have met a translation that the architecture lets differ, which
:mod:`tests.equivalence.judge` decides; otherwise the program is made smaller
and printed.
"""

from dataclasses import dataclass, field

import capstone

from tests.equivalence.core import CData, Core

RAM_BASE = 0x8000_0000
CODE = range(RAM_BASE + 0x1000, RAM_BASE + 0x2000)
NOP = 0x0000_0013
MAX_STEPS = 500
UNFENCED, MOVES, SHARES = 1, 2, 4

CSRS = {
    0x100: "sstatus",
    0x104: "sie",
    0x105: "stvec",
    0x106: "scounteren",
    0x140: "sscratch",
    0x141: "sepc",
    0x142: "scause",
    0x143: "stval",
    0x144: "sip",
    0x180: "satp",
    0xC00: "cycle",
    0xC01: "time",
    0xC02: "instret",
    0xC80: "cycleh",
    0xC81: "timeh",
    0xC82: "instreth",
}


def disassemble(word: int, pc: int) -> str:
    """Return one instruction as text."""
    decoder = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32)
    for insn in decoder.disasm(word.to_bytes(4, "little"), pc):
        return f"{insn.mnemonic} {insn.op_str}".strip()
    return f".word {word:#010x}"


@dataclass(frozen=True)
class Divergence:
    """Where a program differed: the answer of C, with names."""

    seed: int
    steps: int
    what: str  # "x5", "pc", "sstatus", "memory", "ending", ...
    gpa: int
    bare: int
    vm: int
    trail: tuple[tuple[int, int], ...]  # (pc, instruction), the last is it
    reason: str = ""

    def __str__(self) -> str:
        where = f"memory at {self.gpa:08x}" if self.gpa else self.what
        lines = [
            (
                f"program {self.seed}, step {self.steps}: {where} is "
                f"{self.bare:08x} bare and {self.vm:08x} in the VM "
                f"{self.reason}"
            ),
            "the last steps:",
        ]
        lines += [
            f"  {pc:08x}  {word:08x}  {disassemble(word, pc)}"
            for pc, word in self.trail
        ]
        return "\n".join(lines)


@dataclass
class Coverage:
    """What all the programs of a run did together."""

    programs: int = 0
    steps: int = 0
    legal: int = 0  # ended early, as C found out
    stale: int = 0  # ended early, as the judge found out
    traps: dict[int, int] = field(default_factory=dict)
    irqs: dict[int, int] = field(default_factory=dict)
    vm: dict[str, int] = field(default_factory=dict)


class Lockstep:
    """Runs generated programs on one core, with one configuration."""

    def __init__(
        self,
        core: Core,
        *,
        style: str = "EMULATE",
        sync: str = "DEFAULT",
        flags: int = 0,
        **config: int,
    ) -> None:
        self.core, self.flags = core, flags
        self.ffi, self.lib = core.ffi, core.lib
        self.config = core.config(**config)
        self.guest = self.ffi.new("struct hv_vm_config *")
        self.lib.hv_vm_config_default(self.guest)
        self.guest.style = getattr(self.lib, f"HV_STYLE_{style}")
        self.guest.sync = getattr(self.lib, f"HV_SYNC_{sync}")
        self._coverage = self.ffi.new("struct hv_coverage *")
        self._stale = 0

    def image(self, seed: int) -> bytes:
        """Return the program of this seed."""
        size = self.lib.HV_PRIVGEN_RAM
        buffer = self.ffi.new("uint8_t[]", size)
        status = self.lib.hv_privgen(seed, self.flags, buffer, size)
        assert status == self.lib.HV_OK
        return bytes(self.ffi.buffer(buffer))

    def pair(self, seed: int, image: bytes) -> "Pair":
        """Boot a program in both worlds."""
        return Pair(self, seed, image)

    def batch(
        self, first: int, count: int, max_steps: int = MAX_STEPS
    ) -> Divergence | None:
        """Run programs until one differs; say how."""
        out = self.ffi.new("struct hv_divergence *")
        status = self.lib.hv_lockstep_batch(
            *(self.config, self.guest, first, count, self.flags, max_steps),
            *(out, self._coverage),
        )
        assert status == self.lib.HV_OK
        if out.end <= self.lib.HV_LOCKSTEP_LEGAL:
            return None
        return self.explain(out)

    def run(self, first: int, count: int) -> Divergence | None:
        """Run programs until one differs that may not."""
        # The judge needs the specification; a batch alone does not.
        from tests.equivalence.judge import may_differ  # noqa: PLC0415

        end = first + count
        while first < end:
            found = self.batch(first, end - first)
            if found is None:
                return None
            if not may_differ(self, found):
                return found
            self._stale += 1
            first = found.seed + 1
        return None

    def again(self, seed: int, image: bytes) -> Divergence | None:
        """Run one image once more; say how it differs."""
        out = self.ffi.new("struct hv_divergence *")
        pair = self.pair(seed, image)
        pair.lockstep(MAX_STEPS, out)
        if out.end <= self.lib.HV_LOCKSTEP_LEGAL:
            return None
        out.seed = seed
        return self.explain(out, pair)

    def explain(self, out: CData, pair: "Pair | None" = None) -> Divergence:
        """Turn C's answer into names."""
        lib = self.lib
        special = {
            lib.HV_REG_PC: "pc",
            lib.HV_REG_PRIV: "mode",
            lib.HV_LOCKSTEP_MEMORY: "memory",
            lib.HV_LOCKSTEP_ENDING: "ending",
            lib.HV_LOCKSTEP_CONSOLE: "console",
            lib.HV_LOCKSTEP_LOG: "log",
        }
        what = int(out.what)
        name = special.get(what) or (
            f"x{what}" if what < 32 else CSRS[what - lib.HV_REG_CSR]
        )
        if out.end == lib.HV_LOCKSTEP_BROKEN:
            name = "broken"
        return Divergence(
            seed=int(out.seed),
            steps=int(out.steps),
            what=name,
            gpa=int(out.gpa),
            bare=int(out.bare),
            vm=int(out.vm),
            trail=tuple(
                (int(out.trail_pc[i]), int(out.trail_insn[i]))
                for i in range(out.trail_len)
            ),
            reason=pair.reason() if pair else "",
        )

    def coverage(self) -> Coverage:
        """Return what was done so far."""
        c = self._coverage
        names = self.core.counter_names()
        return Coverage(
            programs=int(c.programs),
            steps=int(c.steps),
            legal=int(c.legal),
            stale=self._stale,
            traps={i: int(n) for i, n in enumerate(c.traps) if n},
            irqs={i: int(n) for i, n in enumerate(c.irqs) if n},
            vm={name: int(c.vm[i]) for i, name in enumerate(names)},
        )

    def report(self, found: Divergence) -> str:
        """Make the program small, and print it with what it shows."""
        image = shrink(self, found)
        smaller = self.again(found.seed, image) or found
        lines = [str(smaller), "the program, made smaller:"]
        for pc in CODE[::4]:
            word = word_at(image, pc)
            if word not in (0, NOP) and pc < CODE.stop - 256:
                lines.append(f"  {pc:08x}  {word:08x}  {disassemble(word, pc)}")
        return "\n".join(lines)


class Pair:
    """One program booted twice: on the bare machine and in a VM."""

    def __init__(self, lockstep: Lockstep, seed: int, image: bytes) -> None:
        self.ffi, self.lib = lockstep.ffi, lockstep.lib
        guest = lockstep.guest
        guest.shadow_frames = self.lib.hv_lockstep_pool(seed)
        bare, host = self.ffi.new("hv_host **"), self.ffi.new("hv_host **")
        vm = self.ffi.new("uint32_t *")
        status = self.lib.hv_lockstep_pair(
            *(lockstep.config, guest, image, len(image), bare, host, vm),
        )
        assert status == self.lib.HV_OK
        self.bare = self.ffi.gc(bare[0], self.lib.hv_host_free)
        self.host = self.ffi.gc(host[0], self.lib.hv_host_free)
        self.vm = int(vm[0])

    def lockstep(self, max_steps: int, out: CData) -> None:
        """Make so many steps in both, as long as they are equal."""
        status = self.lib.hv_lockstep(
            self.bare, self.host, self.vm, max_steps, out
        )
        assert status == self.lib.HV_OK

    def worlds(self) -> "tuple[World, World]":
        """Return both, to be stepped one by one."""
        return World(self, self.bare, 0), World(self, self.host, self.vm)

    def reason(self) -> str:
        """Say why the hypervisor broke, or what the audit found."""
        why = self.ffi.new("char[]", 200)
        if self.lib.hv_audit(self.host, why, len(why)) == self.lib.HV_OK:
            return ""
        return str(self.ffi.string(why).decode())


class World:
    """One of the two machines of a pair, seen from outside."""

    def __init__(self, pair: Pair, host: CData, vm: int) -> None:
        self.ffi, self.lib, self.host, self.vm = pair.ffi, pair.lib, host, vm
        self._out = self.ffi.new("uint32_t *")
        self._memory = self.ffi.new("uint8_t[]", self.lib.HV_PRIVGEN_RAM)

    def step(self) -> bool:
        """Make one step; false if there is none."""
        return bool(self.lib.hv_step(self.host, self.vm, 0) == self.lib.HV_OK)

    def get(self, register: int) -> int:
        """Return x0-x31, or what the header numbers otherwise."""
        status = self.lib.hv_reg_get(self.host, self.vm, 0, register, self._out)
        assert status == self.lib.HV_OK
        return int(self._out[0])

    def csr(self, number: int) -> int:
        """Return a CSR as the guest's kernel would read it."""
        return self.get(self.lib.HV_REG_CSR + number)

    def memory(self) -> bytes:
        """Return all of the guest's memory."""
        status = self.lib.hv_mem_read(
            *(self.host, self.vm, RAM_BASE),
            *(self._memory, len(self._memory)),
        )
        assert status == self.lib.HV_OK
        return bytes(self.ffi.buffer(self._memory))


def word_at(image: bytes, pa: int) -> int:
    """Return the word of an image that will be at this address."""
    at = pa - RAM_BASE
    return int.from_bytes(image[at : at + 4], "little")


def shrink(lockstep: Lockstep, found: Divergence) -> bytes:
    """Replace instructions by nops, halves first, while it still differs.

    It has to differ in the same thing, or shrinking would slip from one bug
    to another.
    """
    image = bytearray(lockstep.image(found.seed))
    size = (CODE.stop - CODE.start) // 2
    while size >= 4:
        for pc in range(CODE.start, CODE.stop, size):
            at = pc - RAM_BASE
            kept = image[at : at + size]
            nops = NOP.to_bytes(4, "little") * (size // 4)
            if kept == nops or not any(kept):
                continue
            image[at : at + size] = nops
            again = lockstep.again(found.seed, bytes(image))
            if again is None or again.what != found.what:
                image[at : at + size] = kept
        size //= 2
    return bytes(image)

"""Any call of hv.h, with arguments made of numbers: every list is a program.

The signatures are read from the header, so a new function is called from the
day it is declared. What the contract forbids is not tried: a host after it was
freed, a size larger than the buffer that it is of, a run without end.
"""

import re
from dataclasses import dataclass
from functools import cache

from tests.equivalence.core import CData, Core, declarations

EDGES = (0, 1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 63, 64, 65, 255, 256, 4095, 4096,
         0x10000, 0x7FFFF, 0x80000, 0x80001, 0x3FFFFFFF, 0x40000000,
         0x7FFFFFFF, 0x80000000, 0x80000004, 0x80001000, 0x8001FFFC,
         0x80020000, 0xFFFFFFFC, 0xFFFFFFFE, 0xFFFFFFFF)  # fmt: skip
ROOM = 1 << 16  # bytes of a buffer; counts are of no more than that
HOSTS = 4
MOST_RAM = 4 << 20
# Sizes that are compared with the guest's memory before anything is copied.
CHECKED = {("hv_mem_read", "len"), ("hv_mem_write", "len"),
           ("hv_machine_read", "len"), ("hv_share_scan", "frames"),
           ("hv_balloon_set", "frames"), ("hv_watch", "capacity")}  # fmt: skip
COUNTS = {"n", "max", "count", "len", "size"}
# The harness does that; and an image is nobody's number.
NEVER = {"hv_host_free", "hv_image_free", "hv_image_size", "hv_image_read"}
# They return nothing, and so cannot refuse a NULL.
WRITES = {"hv_config_default", "hv_vm_config_default"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function: `pointer` is the number of its stars."""

    kind: str
    name: str
    pointer: int


@cache
def functions() -> dict[str, tuple[str, tuple[Parameter, ...]]]:
    """Return what each function of hv.h returns, and its parameters."""
    text = re.sub(r"/\*.*?\*/", "", declarations(), flags=re.DOTALL)
    found = {}
    for result, name, rest in re.findall(
        r"^([\w ]+?[ *]+)(hv_\w+)\(([^)]*)\);", text, re.MULTILINE
    ):
        parameters = []
        for part in rest.replace("\n", " ").split(","):
            if part.strip() == "void":
                continue
            kind, stars, called = re.findall(
                r"^\s*(?:const )?((?:struct )?\w+)\s*([* ]*?)\s*(\w+)$", part
            )[0]
            parameters.append(Parameter(kind, called, stars.count("*")))
        found[name] = (result.strip(), tuple(parameters))
    return found


class Calls:
    """Some hosts, and whatever is done to them."""

    def __init__(self, core: Core) -> None:
        self.core, self.ffi, self.lib = core, core.ffi, core.lib
        self.hosts: list[CData] = []
        self.numbers: list[int] = []
        self.buffers: list[CData] = []
        for style in range(self.lib.HV_NR_STYLES):
            self.start(style)
            if len(self.hosts) == 2:
                break
        self.start(None)

    # -- what there is at first ----------------------------------------------

    def start(self, style: int | None) -> None:
        """Add a host that runs a random program, in a VM or bare."""
        ffi, lib = self.ffi, self.lib
        config = self.core.config(
            m_mode=lib.HV_M_FIRMWARE if style is None else lib.HV_M_HYPERVISOR,
            harts=2,
            quantum=50,
        )
        out = ffi.new("hv_host **")
        assert lib.hv_host_new(config, out, ffi.NULL, 0) == lib.HV_OK
        self.hosts.append(out[0])
        guest = ffi.new("struct hv_vm_config *")
        lib.hv_vm_config_default(guest)
        size = lib.HV_PRIVGEN_RAM
        guest.mem_size, guest.style, guest.vcpus = size, style or 0, 2
        vm = ffi.new("uint32_t *")
        if style is not None:
            lib.hv_vm_create(out[0], guest, vm, ffi.NULL, 0)
        image = ffi.new("uint8_t[]", size)
        lib.hv_privgen(5, 0, image, size)
        lib.hv_mem_write(out[0], vm[0], 0x80000000, image, size)
        lib.hv_vm_boot(out[0], vm[0], 0x80000000, 0, 0)

    def close(self) -> None:
        """Free all hosts."""
        for host in self.hosts:
            self.lib.hv_host_free(host)
        self.hosts = []

    # -- arguments -------------------------------------------------------------

    def number(self) -> int:
        """Take the next number of the program: an edge, small, or as it is."""
        value = self.numbers.pop() if self.numbers else 0
        if value % 3 == 0:
            return EDGES[value // 3 % len(EDGES)]
        return value // 3 % 16 if value % 3 == 1 else value

    def host(self) -> CData:
        """Return a host; NULL now and then."""
        which = self.number() % 16
        if which == 15 or not self.hosts:
            return self.ffi.NULL
        return self.hosts[which % len(self.hosts)]

    def fill(self, kind: str, at: CData) -> None:
        """Put numbers into a struct, beginning with sensible ones."""
        if kind == "struct hv_config":
            self.lib.hv_config_default(at)
            at.ram_size = 1 << 20
        elif kind == "struct hv_vm_config":
            self.lib.hv_vm_config_default(at)
            at.mem_size = self.lib.HV_PRIVGEN_RAM
        fields = [
            name
            for name, field in self.ffi.typeof(kind).fields
            if field.type.kind == "primitive"
        ]
        for _ in range(self.number() % 4):
            name = fields[self.number() % len(fields)]
            bits = 8 * self.ffi.sizeof(
                dict(self.ffi.typeof(kind).fields)[name].type
            )
            setattr(at, name, self.number() % (1 << bits - 1))
        if kind == "struct hv_explore":  # else it goes on for hours
            at.bound %= 10
            at.max_steps %= 300
            at.max_schedules = 1 + at.max_schedules % 20
        if kind == "struct hv_config" and at.ram_size % 4096 == 0:
            at.ram_size %= MOST_RAM  # which is hashed after every call

    def pointer(self, function: str, p: Parameter) -> CData:
        """Return a buffer; NULL now and then."""
        if self.number() % 11 == 10 and function not in WRITES:
            return self.ffi.NULL
        if p.pointer == 2:
            return self.ffi.new(f"{p.kind} **")
        if p.kind in {"void", "char", "uint8_t"}:
            return self.ffi.new("uint8_t[]", ROOM)
        room = max(1, ROOM // self.ffi.sizeof(p.kind))
        buffer = self.ffi.new(f"{p.kind}[]", room)
        for i in range(3 if p.kind.startswith("struct") else 0):
            self.fill(p.kind, buffer + i)
        if p.kind == "struct hv_run":
            buffer[0].max_insns = 1 + self.number() % 2000
        return buffer

    def value(self, function: str, p: Parameter, size: int) -> int:
        """Return a number; a count of things of this size is of no more than
        a buffer has."""
        value = self.number()
        if p.name in {"max_steps", "count"} and "lockstep" in function:
            return value % (3 if p.name == "count" else 300)
        if p.name in COUNTS and (function, p.name) not in CHECKED:
            return value % (ROOM // size)
        if p.kind == "int" and value > 0x7FFFFFFF:
            return value - (1 << 32)
        return value

    def argument(self, function: str, p: Parameter, size: int) -> CData:
        """Return what is passed for one parameter."""
        if p.kind == "hv_host" and p.pointer == 1:
            return self.host()
        if not p.pointer:
            return self.value(function, p, size)
        buffer = self.pointer(function, p)
        self.buffers.append(buffer)
        if p.kind in {"void", "char"}:
            return self.ffi.cast(f"{p.kind} *", buffer)
        return buffer

    # -- a call ---------------------------------------------------------------

    def call(self, name: str, numbers: list[int]) -> int | None:
        """Make one call; return its status, if that is what it returns."""
        result, parameters = functions()[name]
        self.numbers, self.buffers = list(reversed(numbers)), []
        size = max(
            self.ffi.sizeof(p.kind) if p.kind.startswith("struct") else 8
            for p in (*parameters, Parameter("int", "", 0))
        )
        arguments = [self.argument(name, p, size) for p in parameters]
        answer = getattr(self.lib, name)(*arguments)
        for p, argument in zip(parameters, arguments, strict=True):
            if p.pointer != 2 or argument == self.ffi.NULL:
                continue
            if p.kind == "hv_image":
                self.lib.hv_image_free(argument[0])
            else:
                self.keep(argument[0])
        return int(answer) if result == "int" else None

    def keep(self, host: CData) -> None:
        """Take over a new host; the oldest goes when there are too many."""
        if host == self.ffi.NULL:
            return
        self.hosts.append(host)
        if len(self.hosts) > HOSTS:
            self.lib.hv_host_free(self.hosts.pop(0))

    def hashes(self) -> list[int]:
        """Return what there is, as numbers to compare."""
        out = self.ffi.new("uint64_t *")
        found = []
        for host in self.hosts:
            assert self.lib.hv_hash(host, out) == self.lib.HV_OK
            found.append(int(out[0]))
        return found

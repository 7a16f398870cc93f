"""Cores that execute programs: that of hv, or one of a file beside it.

A core of a file is a shared library of the same sources, as the zoo builds
them with a bug each. Its functions are reached through the same declarations.
This module is the only one of the package that calls C.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hv import core as good
from hv.errors import ClosedError, UsageError
from hv.fuzz.ops import MAX_LENGTH, STRATEGIES
from hv.fuzz.verdict import Verdict
from hv.properties import named
from hv.sources import declarations

ALL_ORACLES = 511  # of enum hvp_oracle
ALL_BUT_EACH = ALL_ORACLES & ~2  # ... not the audit after each operation
AUDIT_EVERY = 32
MAP = 1 << 16  # HVP_MAP
WHEAT = "wheat"
PLACES = 4  # of VMs in a program


@dataclass(frozen=True, slots=True)
class Found:
    """A program that broke something, as a batch comes upon it."""

    seed: int
    data: bytes
    verdict: Verdict


@dataclass(slots=True)
class Sums:
    """What a batch has done so far.

    :param executed: programs.
    :param operations: records of them.
    :param checks: of properties.
    :param states: met, as a set of bits (an integer, least bit first).
    """

    executed: int = 0
    operations: int = 0
    checks: int = 0
    states: int = 0

    def add(self, other: "Sums") -> None:
        """Add what another batch has done."""
        self.executed += other.executed
        self.operations += other.operations
        self.checks += other.checks
        self.states |= other.states


class Core:
    """A core that was loaded, with its own ``ffi`` and ``lib``."""

    def __init__(self, ffi: Any, lib: Any) -> None:  # noqa: ANN401 -- C's
        self.ffi: Any = ffi
        self.lib: Any = lib

    @contextmanager
    def context(
        self, *, oracles: int = ALL_ORACLES, audit_every: int = AUDIT_EVERY
    ) -> Iterator["Context"]:
        """Prepare to execute programs.

        :param oracles: the checks to make, of ``enum hvp_oracle``.
        :param audit_every: operations from one full audit to the next.
        :raises MemoryError: if there is none.
        """
        raw = self.lib.hvp_new(oracles, audit_every)
        if raw == self.ffi.NULL:
            raise MemoryError("no memory for a context of programs")
        context = Context(self, raw)
        try:
            yield context
        finally:
            context.close()

    def generate(self, strategy: str, seed: int) -> bytes:
        """Return the program of a seed.

        :raises UsageError: if there is no such strategy.
        """
        out = self.ffi.new(f"uint8_t[{MAX_LENGTH}]")
        n = self.lib.hvp_generate(number(strategy), seed, out, MAX_LENGTH)
        return bytes(self.ffi.buffer(out, n))

    def mutate(self, seed: int, program: bytes) -> bytes:
        """Return a program that is a little different."""
        out = self.ffi.new(f"uint8_t[{MAX_LENGTH}]", program[:MAX_LENGTH])
        n = min(len(program), MAX_LENGTH)
        n = self.lib.hvp_mutate(seed, out, n, MAX_LENGTH)
        return bytes(self.ffi.buffer(out, n))


class Context:
    """A core with prepared worlds; see :meth:`Core.context`."""

    def __init__(self, core: Core, raw: Any) -> None:  # noqa: ANN401 -- C's
        self._core = core
        self._context = raw
        self._verdict = core.ffi.new("struct hvp_verdict *")

    def close(self) -> None:
        """Give back its memory; it executes no more."""
        self._core.lib.hvp_free(self._context)
        self._context = self._core.ffi.NULL

    @property
    def _raw(self) -> Any:  # noqa: ANN401 -- C's
        if self._context == self._core.ffi.NULL:
            raise ClosedError("this context of programs is closed")
        return self._context

    def mute(self, properties: Iterable[str]) -> None:
        """Hear nothing of these properties from now on, of all others as ever.

        :param properties: by name: ``P7``.
        :raises UsageError: that is no name of a property.
        """
        numbers = {int(named(name).id[1:]) for name in properties}
        self._core.lib.hvp_mute(self._raw, sum(1 << n for n in numbers))

    def execute(self, data: bytes) -> Verdict:
        """Execute one program.

        :raises HvError: if it needs more memory than there is.
        """
        status = self._core.lib.hvp_execute(
            self._raw, data, len(data), self._verdict
        )
        good.check(status, "executing a program")
        return Verdict.from_c(self._core.ffi, self._verdict)

    @property
    def core(self) -> Core:
        """The core that executes."""
        return self._core

    def host(self) -> tuple[Any, list[int]]:
        """Return C's host as the last program left it, and the ids of its VMs.

        It is there to be looked at, until the next program; None: there is
        none. A VM that is not there has id 0.
        """
        lib = self._core.lib
        raw = lib.hvp_host(self._raw)
        ids = [int(lib.hvp_vm_id(self._raw, place)) for place in range(PLACES)]
        return (None if raw == self._core.ffi.NULL else raw), ids

    def actor(self) -> int:
        """Return the VM whose guest did the last operation; 0: the host."""
        return int(self._core.lib.hvp_actor_id(self._raw))

    def batch(
        self, strategy: str, first: int, count: int, *, limit: int = 1 << 62
    ) -> Iterator[tuple[Sums, Found | None]]:
        """Execute the programs of a range of seeds.

        Yields after each that broke something, after ``limit`` of them, and at
        the end, with what was done in all; states are there if nothing broke.

        :raises UsageError: if there is no such strategy.
        :raises HvError: if a program needs more memory than there is.
        """
        lib, ffi = self._core.lib, self._core.ffi
        with self._batch(strategy, first, count) as (raw, out):
            while True:
                status = lib.hvp_batch_run(
                    *(raw, self._raw, limit, out, self._verdict)
                )
                good.check(status, f"executing seed {first + out.executed}")
                verdict = Verdict.from_c(ffi, self._verdict)
                found = None
                if not verdict.ok:
                    data = bytes(ffi.buffer(out.program, out.length))
                    found = Found(out.seed, data, verdict)
                yield self._sums(raw, out, met=found is None), found
                if out.executed == count:
                    if found is not None:
                        yield self._sums(raw, out, met=True), None
                    return

    def careful(
        self,
        strategy: str,
        first: int,
        count: int,
        tell: Callable[[int, bytes], object],
    ) -> Iterator[Found]:
        """Execute the programs of a range, telling each before.

        For a core that may crash: who listens knows with what. Yields those
        that broke something.

        :raises UsageError: if there is no such strategy.
        :raises HvError: if a program needs more memory than there is.
        """
        lib, ffi = self._core.lib, self._core.ffi
        with self._batch(strategy, first, count) as (raw, out):
            for _ in range(count):
                lib.hvp_batch_peek(raw, out)
                data = bytes(ffi.buffer(out.program, out.length))
                tell(out.seed, data)
                status = lib.hvp_batch_run(
                    *(raw, self._raw, 1, out, self._verdict)
                )
                good.check(status, f"executing seed {out.seed}")
                verdict = Verdict.from_c(ffi, self._verdict)
                if not verdict.ok:
                    yield Found(out.seed, data, verdict)

    @contextmanager
    def _batch(
        self, strategy: str, first: int, count: int
    ) -> Iterator[tuple[Any, Any]]:
        """Give a range of seeds to C: a batch, and its progress."""
        lib, ffi = self._core.lib, self._core.ffi
        raw = lib.hvp_batch_new(number(strategy), first, count)
        if raw == ffi.NULL:
            raise MemoryError("no memory for a batch of programs")
        try:
            yield raw, ffi.new("struct hvp_progress *")
        finally:
            lib.hvp_batch_free(raw)

    def _sums(self, raw: Any, out: Any, *, met: bool) -> Sums:  # noqa: ANN401
        sums = Sums(
            executed=out.executed,
            operations=out.operations,
            checks=out.checks,
        )
        if met:  # 64 KiB to look at: not for each finding
            lib, ffi = self._core.lib, self._core.ffi
            cells = bytes(ffi.buffer(lib.hvp_batch_map(raw), MAP))
            sums.states = pack(cells)
        return sums


def pack(cells: bytes) -> int:
    """Return which bytes are not 0, as bits; the first is the least.

    >>> pack(bytes([0, 7, 0, 1]))
    10
    """
    return int(cells[::-1].translate(_ONES) or b"0", 2)


_ONES = b"0" + b"1" * 255


def number(strategy: str) -> int:
    """Return the number of a strategy.

    :raises UsageError: if there is none of this name.
    """
    if strategy not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        raise UsageError(f"no strategy {strategy!r}: there are {known}")
    return STRATEGIES.index(strategy)


@cache
def wheat() -> Core:
    """Return the core of hv, as it is."""
    return Core(good.ffi, good.lib)


def generate(strategy: str, seed: int) -> bytes:
    """Return the program of a seed, of hv's own generator.

    :raises UsageError: if there is no such strategy.
    """
    return wheat().generate(strategy, seed)


@cache
def _ffi() -> Any:  # noqa: ANN401 -- C's
    """Return the declarations of all cores: a header of thousands of lines."""
    import cffi  # noqa: PLC0415 -- lazily, for the same reason

    ffi = cffi.FFI()
    ffi.cdef(declarations())
    return ffi


@cache
def load(path: str) -> Core:
    """Load a core: :data:`WHEAT`, or the name of a shared library.

    :raises UsageError: if it cannot be loaded, or is no core of this version.
    """
    if path == WHEAT:
        return wheat()
    ffi = _ffi()
    try:
        lib: Any = ffi.dlopen(str(Path(path).resolve()))
        counts = (lib.hvp_op_count(), good.lib.hvp_op_count())
    except (OSError, AttributeError) as error:
        raise UsageError(f"{path}: not a core of hv: {error}") from None
    if counts[0] != counts[1]:
        raise UsageError(
            f"{path}: a core with {counts[0]} operations, where this hv has "
            f"{counts[1]}: build it again"
        )
    return Core(ffi, lib)


def identity(path: str) -> str:
    """Return what a campaign remembers of a core: its bytes' hash.

    :raises UsageError: if the file cannot be read.
    """
    if path == WHEAT:
        return good.version()
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return hashlib.sha256(data).hexdigest()[:16]

"""Random programs of a guest whose stores are logged now and then.

Logging is no part of the twin: a guest cannot tell. What was in memory when
the log began, and the pages that it names since, are all of memory (P37).
"""

from random import Random

from tests.direct.programs import Program
from tests.direct.world import FIRST, PAGE, PAGES, RAM, Differ, World


class Logged(Program):
    """One random program; see :class:`Program`."""

    def __init__(self, world: World, random: Random) -> None:
        super().__init__(world, random)
        self.before: bytes | None = None  # memory, as far as it was fetched
        self._switch()

    def _memory(self) -> bytes:
        world, size = self.world, PAGES * PAGE
        got = world.ffi.new("uint8_t[]", size)
        world.alive(world.lib.hv_mem_read(world.host, world.vm, RAM, got, size))
        return bytes(world.ffi.buffer(got))

    def _fetch(self) -> set[int]:
        """Return the pages that the log names, and begin anew."""
        world = self.world
        bits = world.ffi.new("uint8_t[]", PAGES // 8)
        count = world.ffi.new("uint32_t *")
        world.alive(
            world.lib.hv_dirty_fetch(
                world.host, world.vm, bits, PAGES // 8, count
            )
        )
        named = {n for n in range(PAGES) if bits[n // 8] >> n % 8 & 1}
        if count[0] != len(named):
            raise Differ("log", f"{count[0]} pages, and names {len(named)}")
        return named

    def _switch(self) -> None:
        world = self.world
        if self.before is None:
            self.before = self._memory()
            world.alive(world.lib.hv_dirty_start(world.host, world.vm))
        else:
            self.before = None
            world.alive(world.lib.hv_dirty_stop(world.host, world.vm))

    def look(self) -> None:
        """Fetch the log, and see whether it names all that has changed."""
        if self.before is None:
            return
        named, now = self._fetch(), self._memory()
        for n in range(PAGES):
            page = slice(n * PAGE, (n + 1) * PAGE)
            if n not in named and now[page] != self.before[page]:
                raise Differ("log", f"does not name {FIRST + n:#x}")
        if again := self._fetch():
            raise Differ("log", f"names {len(again)} pages again")
        self.before = now

    def switch(self) -> None:
        """Begin to log, or end it."""
        self.look()
        self._switch()

    OPS = (*Program.OPS, look, switch)
    WEIGHTS = (*Program.WEIGHTS, 5, 3)

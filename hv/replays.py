"""Replay: a recorded run, made again on a new host.

>>> import hv, tempfile, pathlib
>>> folder = tempfile.TemporaryDirectory()
>>> path = pathlib.Path(folder.name) / "run.journal"
>>> with hv.Hypervisor(ram="1MiB", record=True) as hypervisor:
...     vm = hypervisor.create(mem="64KiB")
...     vm.mem.write(0x80000000, bytes.fromhex("6f000000"))
...     vm.boot(0x80000000)
...     result = vm.run(1000)
...     hypervisor.journal.save(path)
...     before = hypervisor.hash()
>>> with hv.replay(path, engine="ref") as again:
...     again.hash() == before
True
>>> folder.cleanup()
"""

import os
from dataclasses import replace

from hv.errors import HypervisorBug, UsageError
from hv.facts import Engine, MMode, choose
from hv.host import Host
from hv.hypervisor import Hypervisor
from hv.journal import MAKERS, Entry, Recorded, created, play
from hv.machine import Machine
from hv.reverse import EVERY, Past
from hv.vm import VM


class Player:
    """A journal and the host that it is played on, one call after another."""

    def __init__(self, recorded: Recorded, engine: str | None = None) -> None:
        config = recorded.config
        if engine is not None:
            config = replace(config, engine=choose(Engine, engine, "engine"))
        self._recorded = recorded
        self._host = Host(config)
        self.place: Hypervisor | Machine
        if config.m_mode is MMode.HYPERVISOR:
            self.place = Hypervisor.over(self._host)
        else:
            self.place = Machine.over(self._host)

    def past(self, every: int = EVERY) -> Past:
        """Keep the past of what is played from here on."""
        return Past(self.place, every=every)

    def run(self) -> Hypervisor | Machine:
        """Make every call again; return the host, in the state it led to.

        :raises HypervisorBug: if an answer or the state is another one.
        :raises UsageError: if a call has arguments that C cannot take.
        """
        try:
            for entry in self._recorded.entries:
                self._play(entry)
            self._compare(self._host.hash(), self._recorded.hash)
        except BaseException:
            self._host.close()
            raise
        return self.place

    def _compare(self, state: int, recorded: int) -> None:
        if state != recorded:
            raise HypervisorBug(
                f"replay: the state's hash is {state:016x}, and it was "
                f"{recorded:016x} when it was recorded"
            )

    def _play(self, entry: Entry) -> None:
        try:
            play(self._host, entry)
        except OverflowError as error:
            raise UsageError(f"replay: {entry}: {error}") from None
        if entry.answer[0] != 0 or not isinstance(self.place, Hypervisor):
            return
        if entry.name in MAKERS:
            number = created(entry)
            self.place.adopt(VM(self._host, number, f"vm{number}"))
        elif entry.name == "hv_vm_destroy":
            self._host.consoles.pop(int(entry.args[0]), None)


def replay(
    path: str | os.PathLike[str], *, engine: str | None = None
) -> Hypervisor | Machine:
    """Make a recorded run again; return the host in the state it led to.

    :param path: of a file that :meth:`hv.journal.Journal.save` wrote.
    :param engine: of the new host; by default the recorded one's.
    :raises UsageError: if the file is no journal, is damaged, or was recorded
        by another version of hv.
    :raises HypervisorBug: if the run came out in another way.
    """
    return Player(Recorded(path), engine).run()

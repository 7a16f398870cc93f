"""Wheat and chaff: judge checks that students write.

First validity: a check must be silent on the good core and on every *wheat*, a
core that differs from it and is right all the same. A check that is not is
named, and does not count. Then what it is for: bugs of the zoo, a core
(*chaff*) each. How a check has fared is told in stages: trial.py. The workload
is hypervisor programs.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from hv.fuzz import native
from hv.fuzz.format import Program
from hv.labs.chaff_cores import GOOD, reached
from hv.labs.chaff_steps import QUIET, begin, steps
from hv.labs.difference import difference
from hv.labs.patience import Endless, patience
from hv.labs.readers import Check, raised
from hv.labs.seen import Step
from hv.labs.trial import Alarm, Place, Stage, Trial


class Suite:
    """A student's checks, and the workload under which they look.

    :param checks: by name.
    :param cores: by id, the good one among them.
    :param workload: programs that every core executes.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        cores: Mapping[str, Path],
        workload: Sequence[Program],
        file: str = "checks.py",
    ) -> None:
        self.checks = checks
        self._cores = cores
        self._workload = workload
        self._file = file
        self._endless: set[str] = set()
        self.watched = cache(self._watched)
        self._good = cache(self._good_steps)

    def _call(self, name: str, step: Step) -> str | None:
        if name in self._endless:
            raise Endless("it did not come to an end before")
        with patience():
            return self.checks[name](step)

    def _ask(
        self, names: Sequence[str], core: str, place: Place, step: Step
    ) -> Iterator[Alarm]:
        for name in names:
            try:
                says = self._call(name, step)
            except Exception as error:  # noqa: BLE001 -- a student's
                if isinstance(error, Endless):
                    self._endless.add(name)
                yield Alarm(
                    name, core, place, raised(error, self._file), raised=True
                )
            else:
                if says is not None:
                    yield Alarm(name, core, place, str(says)[:300])

    def _watched(self, core: str) -> tuple[Alarm, ...]:
        """Return the first alarm of each check on a core that has no bug."""
        found: dict[str, Alarm] = {}
        path = str(self._cores[core])
        with native.load(path).context(oracles=QUIET) as context:
            for number, program in enumerate(self._workload):
                for place, step in steps(context, program, number):
                    left = [name for name in self.checks if name not in found]
                    if step is not None and left:
                        found |= {
                            alarm.check: alarm
                            for alarm in self._ask(left, core, place, step)
                        }
        return tuple(found.values())

    def false_alarms(self, wheats: Sequence[str]) -> list[Alarm]:
        """Return what complains of what is right, once for each check."""
        found: dict[str, Alarm] = {}
        for core in (GOOD, *wheats):
            for alarm in self.watched(core):
                found.setdefault(alarm.check, alarm)
        return list(found.values())

    def _good_steps(self, number: int) -> list[tuple[Place, Step | None]]:
        path = str(self._cores[GOOD])
        with native.load(path).context(oracles=QUIET) as context:
            return list(steps(context, self._workload[number], number))

    def trial(
        self, bug: str, wheats: Sequence[str], programs: Sequence[int]
    ) -> Trial:
        """Look for a bug with the checks that are valid.

        :param programs: of the workload, those to be tried, by number.
        """
        invalid = {alarm.check for alarm in self.false_alarms(wheats)}
        valid = [name for name in self.checks if name not in invalid]
        where: Place | None = None
        differs = ""
        ran = False
        unheard: dict[str, Alarm] = {}
        path = self._cores[bug]
        with native.load(str(path)).context(oracles=QUIET) as context:
            for number in programs:
                good = self._good(number)
                begin(context, self._workload[number], path)
                for i, (place, step) in enumerate(
                    steps(context, self._workload[number], number)
                ):
                    if where is None:
                        right = good[i][1] if i < len(good) else None
                        where, differs = _unlike(place, right, step)
                    if step is None:
                        break
                    for alarm in self._ask(list(self.checks), bug, place, step):
                        if alarm.check in valid and not alarm.raised:
                            return Trial(bug, Stage.DETECTED, alarm)
                        unheard.setdefault(alarm.check, alarm)
                ran = ran or reached(path)
        stage = Stage.REACHED if ran else Stage.MISSED
        if where is not None:
            stage = Stage.TRIGGERED
        return Trial(
            bug,
            stage,
            where=where,
            differs=differs,
            unheard=tuple(unheard.values()),
        )


def _unlike(
    place: Place, good: Step | None, bad: Step | None
) -> tuple[Place | None, str]:
    """Return the place, and what differs there; None: nothing does."""
    if bad is None and good is not None:
        return place, "the host has stopped: an assertion of the hypervisor's"
    found = difference(good and good.now, bad and bad.now)
    return (place, str(found)) if found else (None, "")

"""How a bug fared against what a student wrote.

There are four stages, after Magma (Hazimeh et al. 2020), which tell apart what
an attack, or a workload and its checks, lacks:

- not reached: the functions with the bug were never run;
- reached: they were, but the host is as the good one would be;
- triggered: it is not, and nobody complained;
- detected.
"""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """How far an attack, or a workload and the checks of it, has come."""

    MISSED = "not reached"
    REACHED = "reached, but not triggered"
    TRIGGERED = "triggered, but not detected"
    DETECTED = "detected"


@dataclass(frozen=True, slots=True)
class Place:
    """A step of a program of the workload."""

    program: int  #: counted from 0
    step: int  #: index of the record
    does: str
    actor: int  #: 0: the host

    def __str__(self) -> str:
        who = f"VM {self.actor}" if self.actor else "the host"
        return f"program {self.program}, step {self.step} ({self.does}, {who})"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A check that complained."""

    check: str
    core: str
    place: Place
    says: str
    raised: bool = False  #: it did not return, but raised

    def __str__(self) -> str:
        return f"{self.check} at {self.place}: {self.says}"


@dataclass(frozen=True, slots=True)
class Trial:
    """How a bug fared."""

    bug: str
    stage: Stage
    alarm: Alarm | None = None  #: if it was detected
    where: Place | None = None  #: if it was triggered: where first ...
    differs: str = ""  #: ... and what is not as on the good core
    unheard: tuple[Alarm, ...] = ()  #: of checks that do not count

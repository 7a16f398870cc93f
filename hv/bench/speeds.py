"""How fast the same program runs on each machine, and the ratios of that.

Everything is measured several times in turns: in every round each machine runs
each program once. A ratio is taken within a round, between runs that were
close in time, and the median of the rounds counts.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median

from hv.bench.aims import Ratio
from hv.bench.machines import Place, places
from hv.bench.programs import WORKS, Work, styles_of
from hv.bench.report import Figure, Skip, Speed
from hv.errors import HvError

# What Unicorn does not do.
TRAPS = ("trap", "fault")


@dataclass
class Track:
    """The runs of one program on one machine."""

    work: Work
    place: Place
    rounds: int
    seconds: list[float] = field(default_factory=list)
    insns: int | None = None

    def run(self, results: dict[tuple[str, int], str]) -> None:
        """Run once more, and compare the result with everybody's.

        :raises HvError: if another machine had another result.
        """
        run = self.place.run(self.work.name, self.rounds)
        key = (self.work.name, self.rounds)
        if results.setdefault(key, run.result) != run.result:
            raise HvError(
                f"{self.work.name} came to {run.result} on {self.place.name}, "
                f"to {results[key]} elsewhere"
            )
        self.seconds.append(run.seconds)
        self.insns = run.insns

    def per_round(self, turn: int) -> float:
        """Return the seconds for the work done once, in one turn."""
        return self.seconds[turn] / self.rounds


class Speeds:
    """The programs on the machines: who runs what, and the times so far."""

    def __init__(self, factor: int, works: Iterable[Work] = WORKS) -> None:
        self.tracks: list[Track] = []
        self.skipped: dict[str, Skip] = {}
        self.results: dict[tuple[str, int], str] = {}
        for work in works:
            traps = work.name in TRAPS
            for place in places(styles_of(work.name), traps=traps):
                if why := place.missing():
                    self.skipped[place.name] = Skip(place.name, why)
                    continue
                rounds = work.rounds_for(place.engine, place.style, factor)
                self.tracks.append(Track(work, place, rounds))

    def run(self, turns: int, report: Callable[[str], None]) -> None:
        """Let every machine run every program so often.

        :param report: told what is running.
        :raises HvError: if a result is wrong.
        """
        for turn in range(turns):
            for track in self.tracks:
                what = f"{track.work.name} on {track.place.name}"
                report(f"round {turn + 1} of {turns}: {what}")
                track.run(self.results)

    def find(self, work: str, place: str) -> Track | None:
        """Return the runs of a program on a machine, if there are any."""
        for track in self.tracks:
            if (track.work.name, track.place.name) == (work, place):
                return track
        return None

    def rows(self) -> list[Speed]:
        """Return the times for the report."""
        return [
            Speed(t.work.name, t.place.name, t.rounds, t.insns, t.seconds)
            for t in self.tracks
        ]

    def figure(self, ratio: Ratio) -> Figure | None:
        """Return a ratio; None if one of its two sides is not here."""
        above = self.find(*ratio.above)
        below = self.find(*ratio.below)
        if not above or not below or not above.seconds:
            return None
        turns = range(len(above.seconds))
        return ratio.aim.figure(
            [above.per_round(i) / below.per_round(i) for i in turns]
        )

    def nanoseconds(self, work: str, place: str) -> float | None:
        """Return what one of the program's things took, by the median."""
        track = self.find(work, place)
        if track is None or not track.seconds:
            return None
        things = track.rounds * track.work.per_round
        return median(track.seconds) / things * 1e9

"""What `hv lab watch` does: grade whenever a file is saved, and show it live.

On a terminal a bar grows while tests run; elsewhere each test is a line. Then
comes what a bar has no room for: what the save has won or lost, the first test
that fails, its message, and the next hint about it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from hv.labs import report
from hv.labs.points import Award, plan
from hv.labs.process import Event, Tell
from hv.labs.run import Grade
from hv.labs.spec import Folder

Files = Mapping[str, str]


def watch(
    looks: Iterable[Files],
    grade: Callable[[Files, Tell], Grade],
    show: "Show",
) -> None:
    """Grade and show, each time that a look finds other files.

    :param looks: a student's files, again and again.
    :param grade: grades such files, and tells how that goes.
    """
    before: Files = {}
    for files in looks:
        saved = [name for name in files if files[name] != before.get(name)]
        if saved:
            before = files
            with show.live(saved) as tell:
                done = grade(files, tell)
            show.grade(done)


def next_hint(folder: Folder, test: str, taken: Collection[str]) -> str:
    """Return the arguments of `hv lab hint` for a test that fails.

    The first hint that was not taken, of the first part that the test is
    about; empty if all were, or if it is about none.
    """
    for part in folder.lab.part:
        for step in range(1, len(part.hints) + 1):
            if test in part.tests and f"{part.name} {step}" not in taken:
                return part.name + (f" --step {step}" if step > 1 else "")
    return ""


@dataclass(slots=True)
class Tally:
    """How far a grade has come."""

    awards: Mapping[str, Award]  #: by test
    running: str = "starting the tests"  #: or the title of the one that runs
    done: dict[str, bool] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Be told what happens."""
        if event.good is not None:
            self.done[event.test] = event.good
        elif event.test:
            self.running = self.awards[event.test].title

    @property
    def points(self) -> str:
        """The points so far, of all that there are."""
        good = [self.awards[test] for test, it in self.done.items() if it]
        return f"{_sum(good)}/{_sum(self.awards.values())}"


def _sum(awards: Iterable[Award]) -> int:
    return sum(award.points for award in awards)


class Show:
    """What a student sees, who watches.

    :param taken: asked for the hints that were taken so far.
    :param where: what to add to a command, so that it is about this folder.
    """

    def __init__(
        self,
        folder: Folder,
        console: Console,
        taken: Callable[[], Collection[str]] = tuple,
        where: str = "",
    ) -> None:
        self._folder = folder
        self._console = console
        self._taken = taken
        self._where = where
        self._awards = {award.test: award for award in plan(folder.tests)}
        self._last: Grade | None = None

    @contextmanager
    def live(self, saved: Collection[str]) -> Iterator[Tell]:
        """Show a grade as it comes about; yield whom to tell."""
        self._say(f"grading {', '.join(saved)}")
        tally = Tally(self._awards)
        if not self._console.is_terminal:
            yield lambda event: self._line(tally, event)
            return
        with Progress(
            BarColumn(report.BAR),
            TextColumn(
                "{task.fields[points]} {task.description}", markup=False
            ),
            console=self._console,
            transient=True,
        ) as progress:
            bar = progress.add_task("compiling", total=None, points="")

            def tell(event: Event) -> None:
                tally.hear(event)
                progress.update(
                    bar,
                    description=tally.running,
                    completed=len(tally.done),
                    total=len(self._awards),
                    points=tally.points,
                    refresh=True,
                )

            yield tell

    def _line(self, tally: Tally, event: Event) -> None:
        tally.hear(event)
        if event.good is not None:
            verdict = "OK" if event.good else "FAIL"
            title = self._awards[event.test].title
            self._say(f"{tally.points:>7} {verdict:4} {title}")

    def grade(self, done: Grade) -> None:
        """Show a grade that is complete."""
        if done.broken:  # no points to compare with: those before it stay
            self._say(done.broken, "red")
            return
        won = report.changed(self._last, done) if self._last else ""
        self._last = done
        self._say(report.bar(done) + won, "bold")
        failed = report.first_failure(done)
        if failed is None:
            self._say("all points: `hv lab submit` packs your files", "green")
            return
        self._say(f"next: {failed.award.title}", "bold red")
        for line in failed.message.splitlines():
            self._say(f"    {line}")
        self._say(f"again: {failed.replay}{self._where}")
        hint = next_hint(self._folder, failed.award.test, self._taken())
        if hint:
            self._say(f"hint:  hv lab hint {hint}{self._where}")

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(
            text, style=style, markup=False, highlight=False, soft_wrap=True
        )

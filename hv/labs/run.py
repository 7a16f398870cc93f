"""Grade one submission: build its core, run the tests in other processes.

The points are the parent's: what each test is worth is read from the tests'
file, and a process only says which of them went well. A test is done when its
line says so. If a process dies, the test that ran is lost, and another process
runs the rest; a submission that dies again and again is left alone.
"""

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

from hv.errors import UsageError
from hv.labs import build
from hv.labs.chaff_cores import cores
from hv.labs.crash import environment, sanitizer_report
from hv.labs.points import Award, plan
from hv.labs.process import Built, Event, Run, Tell, once, silent
from hv.labs.sandbox import Limits
from hv.labs.spec import Folder

PUBLIC_SEED = 1


@dataclass(frozen=True, slots=True)
class Result:
    """How one test went."""

    award: Award
    good: bool
    message: str = ""  #: what went wrong, for the student
    replay: str = ""  #: a command that shows it again

    @property
    def points(self) -> int:
        """What it gives: all or nothing."""
        return self.award.points if self.good else 0


@dataclass(frozen=True, slots=True)
class Grade:
    """How a submission did in a lab."""

    number: int
    title: str
    results: tuple[Result, ...]
    broken: str = ""  #: why nothing could be run
    seconds: float = field(default=0, compare=False)  #: never in a verdict

    @property
    def score(self) -> int:
        """The points."""
        return sum(result.points for result in self.results)

    @property
    def full(self) -> int:
        """The points there are."""
        return sum(result.award.points for result in self.results)


def hidden_seed(key: str, student: str, number: int) -> int:
    """Return the seed of a student's hidden variant, the same every time.

    :param key: the course's, which students do not have.
    """
    name = f"{student}/{number}".encode()
    code = hmac.new(key.encode(), name, "sha256").digest()
    return int.from_bytes(code[:6], "big")


def grade(
    folder: Folder,
    files: Mapping[str, str],
    *,
    seed: int = PUBLIC_SEED,
    only: str = "",
    limits: Limits | None = None,
    sanitize: bool = False,
    tell: Tell = silent,
) -> Grade:
    """Grade a submission. Whatever it does, there is a grade.

    :param files: the student's, by name; others than the lab's do not count.
    :param only: the name of a single test.
    :param sanitize: let the student's C look where it reads and writes. That
        takes longer, and sees what else might go unnoticed.
    :param tell: told when the tests begin (with no test's name), when each
        begins and how it ended: what a grade holds later, as it happens.
    :raises UsageError: there is no pytest, which runs the tests; or no core of
        hv's own; or no sanitizer, where one is asked for.
    """
    if find_spec("pytest") is None:
        raise UsageError("grading needs pytest: pip install 'microhv[labs]'")
    if find_spec("hv._native") is None:  # no test could be run, by our fault
        raise UsageError("hv's C core is not built; `hv doctor` says more")
    began = time.monotonic()
    awards = [a for a in plan(folder.tests) if only in ("", a.test)]
    broken = ""
    results: dict[str, Result] = {}
    library = build.sanitizer() if sanitize else None
    if sanitize and library is None:
        raise UsageError("--sanitize needs gcc and its libasan")
    try:
        files = _complete(folder, files)
        built = Built(
            build.core(folder, files, sanitize=sanitize),
            build.image(folder, files),
            files,
            cores(folder),
            library,
        )
    except build.BuildError as error:
        broken = _build_message(error)
    else:
        tell(Event(""))
        session = _Session(folder, built, seed, limits or Limits(), tell)
        session.run(awards)
        results = session.results
    return Grade(
        folder.lab.number,
        folder.lab.title,
        tuple(results.get(a.test, Result(a, good=False)) for a in awards),
        broken,
        time.monotonic() - began,
    )


def _complete(folder: Folder, files: Mapping[str, str]) -> Mapping[str, str]:
    for source in folder.lab.file:
        if source.name not in files:
            raise build.BuildError(f"{source.name} is missing")
    return {source.name: files[source.name] for source in folder.lab.file}


def _build_message(error: build.BuildError) -> str:
    if not isinstance(error, build.CompileError):
        return str(error)
    lines = [f"{m.file}:{m.line}: {m.message}" for m in error.mistakes]
    if not lines:
        return "it does not link:\n" + error.output[-1500:]
    more = f"\n({len(lines) - 5} more)" if len(lines) > 5 else ""
    return "it does not compile:\n" + "\n".join(lines[:5]) + more


@dataclass(slots=True)
class _Session:
    """All tests of a grade, run in as many processes as that takes."""

    folder: Folder
    built: Built
    seed: int
    limits: Limits
    tell: Tell
    results: dict[str, Result] = field(default_factory=dict)
    looked: bool = False  #: whether a crash was looked at once more

    def run(self, awards: list[Award]) -> None:
        """Run these tests; afterwards each has a result."""
        left = awards
        deaths = loops = 0
        while left:
            run = self._once([a.test for a in left])
            for award in left:
                if award.test in run.done:
                    good, message = run.done[award.test]
                    self._set(award, good=good, message=message)
                elif award.test == run.running:
                    self._lost(award, self._why(run))
            left = [a for a in left if a.test not in self.results]
            deaths, loops = deaths + 1, loops + run.looped
            given_up = (
                deaths == self.limits.deaths or loops == self.limits.loops
            )
            if run.ended or not run.running or given_up:
                why = run.why or "it was not run"
                if deaths > 1 or loops:
                    why = "not run: the tests before it ended the process"
                for award in left:
                    self._lost(award, why)
                    why = "not run"  # the story is told once
                return

    def _once(self, tests: list[str]) -> Run:
        order = (self.folder, tests, self.built, self.seed, self.limits)
        return once(*order, self.tell)

    def _why(self, run: Run) -> str:
        """Return why the test that ran is lost, as exactly as can be said."""
        if self.built.library is not None:
            found = sanitizer_report(run.said, self.built.files)
            return f"your code broke a rule of C: {found}" if found else run.why
        if not run.crashed or self.looked:
            return run.why
        self.looked = True  # once is enough to go on with
        found = self._sanitized(run.running)
        return run.why + (f"\n{found}" if found else "")

    def _sanitized(self, test: str) -> str:
        """Run a test that crashed once more, with a core that looks at itself.

        Returns what was found, with the student's file and line; else "".
        """
        library = build.sanitizer()
        if library is None:
            return ""
        try:
            core = build.core(self.folder, self.built.files, sanitize=True)
        except build.BuildError:
            return ""
        run = once(
            *(self.folder, [test], replace(self.built, core=core), self.seed),
            replace(self.limits, memory=0),
            silent,
            environment(library, self.limits),
        )
        return sanitizer_report(run.said, self.built.files)

    def _lost(self, award: Award, why: str) -> None:
        self._set(award, good=False, message=why)
        self.tell(Event(award.test, good=False))

    def _set(self, award: Award, *, good: bool, message: str) -> None:
        replay = ""
        if not good:
            replay = f"hv lab replay {self.folder.lab.number} {award.test}"
            if self.seed != PUBLIC_SEED:
                replay += f" --seed {self.seed}"
        self.results[award.test] = Result(award, good, message, replay)

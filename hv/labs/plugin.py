"""What pytest does in a process that grades: one line for every event.

The lines go to a descriptor of their own at once, so that the death of the
process costs the test that ran and no other. Each carries a code made with a
key that the parent has sent: what a submission prints is no result. (It shares
the process with the grader, and could search its memory for the key:
docs/instructors.md says what that means.)
"""

import json
import os
import traceback
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from hv.errors import HypervisorBug
from hv.labs.crash import assertion
from hv.labs.points import Failed
from hv.labs.seal import sealed, seed_of

MESSAGE = 6000  # characters of a test's message
_KINDS = {"HypervisorBug": "an invariant of hv does not hold any more"}


class Grading:
    """The plugin: runs the tests that are asked for, in order, and tells."""

    def __init__(
        self, key: bytes, descriptor: int, wanted: Sequence[str], seed: int
    ) -> None:
        self._key = key
        self._descriptor = descriptor
        self._wanted = [f"test_{name}" for name in wanted]
        self._seed = seed
        self._number = 0

    def tell(self, **event: object) -> None:
        """Write one line, whole."""
        text = json.dumps(event)
        code = sealed(self._key, self._number, text)
        self._number += 1
        os.write(self._descriptor, f"{code} {text}\n".encode())

    @pytest.fixture
    def seed(self, request: pytest.FixtureRequest) -> int:
        """Return what this test draws its numbers from."""
        return seed_of(self._seed, request.node.name)

    @pytest.fixture
    def image(self) -> Path:
        """Return the guest that was made of the student's files."""
        return Path(os.environ["HV_LAB_IMAGE"])

    @pytest.fixture
    def cores(self) -> dict[str, Path]:
        """Return the cores that the lab names, by id."""
        named: dict[str, str] = json.loads(os.environ["HV_LAB_CORES"])
        return {name: Path(path) for name, path in named.items()}

    @pytest.fixture
    def work(self) -> Path:
        """Return a folder with copies of the student's files."""
        return Path.cwd()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what is wanted, in the order of the file."""
        items[:] = [item for item in items if item.name in self._wanted]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which test runs now."""
        name = nodeid.rpartition("::")[2].removeprefix("test_")
        self.tell(event="start", test=name)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Say how it ended."""
        report = yield
        if call.when == "call" or (call.when == "setup" and call.excinfo):
            error = call.excinfo.value if call.excinfo else None
            self.tell(
                event="done",
                test=item.name.removeprefix("test_"),
                good=error is None,
                message=explain(error) if error else "",
            )
        return report


def explain(error: BaseException) -> str:
    """Return what a student should read about why a test failed."""
    if isinstance(error, Failed):
        return str(error)[:MESSAGE]
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f for f in frames if Path(f.filename).name.startswith("test_")]
    where = f" (in {mine[-1].name}: {mine[-1].line})" if mine else ""
    theirs = [f for f in frames if Path(f.filename).parent == Path.cwd()]
    if theirs:
        last = theirs[-1]
        where += f"\n  at {Path(last.filename).name}:{last.lineno}: {last.line}"
    kind = type(error).__name__
    text = f"{_KINDS.get(kind, kind)}: {error}{where}"
    if isinstance(error, HypervisorBug):
        text += f"\n{assertion(str(error), Path.cwd())}"
    return text.rstrip()[:MESSAGE]

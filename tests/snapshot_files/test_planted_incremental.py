"""Bugs planted in hv/incremental.py: the tests beside this find each."""

import traceback
from collections.abc import Callable
from pathlib import Path
from runpy import run_path

import pytest

import hv
from hv import incremental
from tests.snapshot_files import test_incremental as tests

SOURCE = Path(incremental.__file__)
LOST = "                if gfn + i not in self.pages:\n"
RACE = tests.test_a_page_written_while_it_is_read_comes_again


def rounds() -> None:
    """Run one of the random tests."""
    tests.test_each_round_is_what_was_written("pv", 1)


# name, text, what instead, the test, and words of where or how it fails
BUGS = [
    (
        "pages-before-the-log",
        "        self.rounds += 1\n",
        "        self.vm.fetch_log()\n        self.rounds += 1\n",
        RACE,
        "image(rest) ==",
    ),
    (
        "first-round-of-the-log-alone",
        "        if self.rounds == 0:\n",
        "        if self.rounds < 0:\n",
        rounds,
        "set(first.pages)",
    ),
    (
        "all-pages-each-round",
        "        if self.rounds == 0:\n",
        "        if self.rounds >= 0:\n",
        rounds,
        "set(sent.pages)",
    ),
    (
        "equal-pages-twice",
        "contents[index + i] =",
        "contents[len(contents)] =",
        tests.test_pages_that_come_and_go,
        "assert image ==",
    ),
    (
        "a-lost-page-is-zero",
        LOST,
        "                self.pages.setdefault(gfn + i, bytes(PAGE))\n" + LOST,
        tests.test_a_page_that_was_lost_or_is_old_is_noticed,
        "DID NOT RAISE",
    ),
    (
        "no-limit-but-one-too-late",
        "len(rounds) >= most",
        "len(rounds) > most",
        tests.test_one_that_never_rests_is_stopped,
        "saved.rounds ==",
    ),
    (
        "log-left-on",
        "        with suppress(UsageError):\n            self.vm.stop_log()\n",
        "        del _\n",
        tests.test_its_log_ends_whatever_happens,
        "guest.vm.start_log()",
    ),
]


@pytest.mark.parametrize(
    ("text", "instead", "test", "says"),
    [bug[1:] for bug in BUGS],
    ids=[bug[0] for bug in BUGS],
)
def test_is_found(
    text: str,
    instead: str,
    test: Callable[[], None],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = SOURCE.read_text()
    assert source.count(text) == 1
    bugged = tmp_path / "incremental.py"
    bugged.write_text(source.replace(text, instead))
    names = run_path(str(bugged), run_name="hv.incremental")
    for name in ("Saver", "Copy", "save_running"):
        monkeypatch.setattr(tests, name, names[name])
    with pytest.raises(
        (AssertionError, hv.HvError, pytest.fail.Exception)
    ) as found:
        test()
    at = traceback.extract_tb(found.tb)
    mine = [f.line or "" for f in at if f.filename == tests.__file__]
    assert says in f"{mine[-1]}: {found.value}"

"""The file that remembers what was measured at each commit."""

import subprocess
from pathlib import Path

import msgspec
import pytest

import hv
from hv.bench import history
from hv.bench.report import from_json
from tests.bench.conftest import a_report, figure

ROOT = Path(__file__).parents[2]


def test_only_ratios_and_counts_are_kept() -> None:
    report = a_report(
        figure(3.14159, name="pi"), figure(7, name="slow", unit="ns")
    )
    kept = history.entry(report)
    assert kept.ratios == {"pi": 3.142}
    assert kept.counts == {"bare x1": 1.0}
    assert (kept.commit, kept.date) == ("abc1234", "2026-01-01")


def test_a_commit_has_one_line_and_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "history.jsonl"
    first = history.entry(a_report(figure(1)))
    other = msgspec.structs.replace(first, commit="other")
    again = history.entry(a_report(figure(2)))
    for each in (first, other, again):
        history.append(path, each)
    assert history.read(path) == [other, again]
    assert path.read_text().count("\n") == 2


def test_no_file_is_an_empty_history(tmp_path: Path) -> None:
    assert history.read(tmp_path / "none") == []


def test_a_damaged_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"commit": 7}\n')
    with pytest.raises(hv.HvError, match=r"history\.jsonl:1: "):
        history.read(path)


def test_a_commit_is_named_and_a_change_shows(tmp_path: Path) -> None:
    def git(*args: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        command = ["git", "-C", str(tmp_path), *who, *args]
        subprocess.run(command, check=True, capture_output=True)

    assert history.commit_of(tmp_path) is None
    git("init")
    source = tmp_path / "source"
    kept = tmp_path / history.FILE
    kept.parent.mkdir(parents=True)
    source.write_text("1")
    kept.write_text("")
    git("add", ".")
    git("commit", "-m", "one")
    clean = history.commit_of(tmp_path)
    assert clean is not None
    name, date = clean
    assert len(name) >= 7
    assert len(date) == len("2026-01-01")
    kept.write_text("a line")
    assert history.commit_of(tmp_path) == clean
    source.write_text("2")
    assert history.commit_of(tmp_path) == (f"{name}-dirty", date)


def test_a_report_is_remembered_whole_and_in_a_line(tmp_path: Path) -> None:
    report = a_report(figure(1))
    history.remember(tmp_path, report)
    assert from_json((tmp_path / history.LAST).read_bytes()) == report
    assert history.read(tmp_path / history.FILE) == [history.entry(report)]


def test_what_is_in_the_tree_can_be_read() -> None:
    entries = history.read(ROOT / history.FILE)
    assert entries
    last = from_json((ROOT / history.LAST).read_bytes())
    assert history.entry(last) == entries[-1]

"""``hv bench``: what it prints and writes, and a whole run of it."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hv import bench
from hv.bench.report import Report, from_json
from hv.cli import main
from tests.bench.conftest import a_report, figure

Hv = Callable[..., int]


@pytest.fixture
def hv_bench(monkeypatch: pytest.MonkeyPatch) -> Hv:
    """Run the command with a report that is there already."""

    def measure(*, quick: bool, report: Callable[[str], None]) -> Report:
        report(f"measuring, quick is {quick}")
        return a_report(figure(3, aim=2), figure(1, aim=2, why="slow"))

    def command(*args: str | Path) -> int:
        return main(["bench", *map(str, args)])

    monkeypatch.setattr(bench, "measure", measure)
    return command


def test_a_table_for_people(
    hv_bench: Hv, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hv_bench("--quick") == 0
    out = capsys.readouterr().out
    assert "met by 50%" in out
    assert "missed by 50%: slow" in out
    assert "skipped qemu: no qemu here" in out


def test_json_for_programs(
    hv_bench: Hv, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hv_bench("--json") == 0
    assert from_json(capsys.readouterr().out.encode()).rounds == 3


def test_a_file_has_json_or_a_plot(hv_bench: Hv, tmp_path: Path) -> None:
    assert hv_bench("--out", tmp_path / "report") == 0
    assert from_json((tmp_path / "report").read_bytes()).rounds == 3
    assert hv_bench("--out", tmp_path / "plot.svg") == 0
    ET.fromstring((tmp_path / "plot.svg").read_text())  # noqa: S314 -- ours


def test_a_file_that_cannot_be_written_is_said_in_a_line(
    hv_bench: Hv, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hv_bench("--out", tmp_path / "no" / "such") == 1
    err = capsys.readouterr().err.strip().splitlines()[-1]
    assert "could not be kept" in err


def test_history_needs_a_commit(
    hv_bench: Hv,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("hv.images.source", lambda: None)
    assert hv_bench("--history") == 1
    assert "needs a checkout" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.images
@pytest.mark.usefixtures("shipped")
def test_a_quick_run_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--quick", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    names = {figure["name"] for figure in data["figures"]}
    assert {"mix-emulate", "mix-pv", "fault-emulate", "hypercall"} <= names
    assert all(figure["value"] > 0 for figure in data["figures"])
    assert len(data["counts"]) >= 9

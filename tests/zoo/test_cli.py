"""The command `hv zoo`."""

import json
from pathlib import Path

import pytest

from hv import zoo
from hv.cli import main


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(zoo.records())
    assert lines[0].split()[:3] == ["ID", "PROPERTY", "HURTS"]


def test_list_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "list", "--json"]) == 0
    bugs = json.loads(capsys.readouterr().out)["bugs"]
    assert [bug["id"] for bug in bugs] == [bug.id for bug in zoo.records()]
    assert bugs[0]["edits"][0]["file"].endswith(".c")


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "show", "s04"]) == 0
    out = capsys.readouterr().out
    assert "XSA-286" in out
    assert "-    tag_forget(vm);" in out


def test_wheats(capsys: pytest.CaptureFixture[str]) -> None:
    """They have ids as bugs have, and can be looked at and built by them."""
    ids = [wheat.id for wheat in zoo.wheats()]
    assert main(["zoo", "list", "--wheats"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", *ids]
    assert main(["zoo", "list", "--wheats", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["wheats"]
    assert [row["id"] for row in rows] == ids
    for name in ids:
        assert main(["zoo", "show", name.lower()]) == 0
        out = capsys.readouterr().out
        assert out.startswith(name)
        assert ("+++ csrc/hyp/" in out) == bool(zoo.core(name).edits)
    assert main(["zoo", "build", "W01"]) == 0
    name, path = capsys.readouterr().out.split()
    assert (name, Path(path).is_file()) == ("W01", True)
    assert main(["zoo", "run", "W01"]) == 2  # there is nothing to be found


def test_a_bug_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "show", "Z99"]) == 2
    assert "hv zoo list" in capsys.readouterr().err


def test_build(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "build", "M16", "S11"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in lines] == ["M16", "S11"]
    assert all(Path(path).is_file() for _, path in lines)


def test_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "run", "C04", "L02", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["missed"] == 0
    assert [bug["id"] for bug in found["bugs"]] == ["C04", "L02"]
    assert found["bugs"][0]["property"] == "P14"


def test_run_by_hypothesis(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "run", "C04", "--hypothesis", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["bugs"]
    assert (found["strategy"], found["property"]) == ("hypothesis", "P14")


def test_what_cannot_be_asked_for_is_said_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["zoo", "run", "C04", "--second", "--hypothesis"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "a second property is looked for by the generator" in captured.err


def test_a_bug_that_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    """What it takes to see this one is not in so few programs."""
    assert main(["zoo", "run", "K24", "--time", "0.001"]) == 1
    out = capsys.readouterr().out
    assert "missed" in out
    assert "0 of 1 found" in out

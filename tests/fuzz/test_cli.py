"""`hv fuzz` and `hv replay`, as a person types them."""

import json
from pathlib import Path

import pytest

from hv.cli import main
from hv.fuzz import Program, encode, parse, render
from hv.fuzz.corpus import load
from tests.fuzz.cores import fake_core
from tests.fuzz.fake import op

SMALL = ["--workers", "0", "--execs", "2048", "--strategy", "g3"]


def test_a_campaign_says_what_it_found_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["fuzz", "--core", fake_core(), *SMALL, "--out", str(out)]
    assert main(command) == 1
    said = capsys.readouterr()
    assert "2048 programs" in said.out
    assert "P7 broken by load (g3, seed " in said.out
    assert f"kept in {out}" in said.out
    assert "P7 broken by load" in said.err
    assert main([*command, "--json"]) == 1  # there is nothing left to do
    report = json.loads(capsys.readouterr().out)
    assert report["executed"] == 2048
    assert {finding["property"] for finding in report["findings"]} == {
        "P2",
        "P7",
    }
    (path,) = out.glob("P7/*.hvp")
    assert main(["replay", str(path), "--core", fake_core()]) == 1
    shown = capsys.readouterr().out
    assert "# <-- P7: record 1" in shown
    assert parse(shown) == load(path)


def test_a_replay_reads_text_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = Program(run=(op("nop"), op("unmap"), op("load"), op("nop")))
    path = tmp_path / "program.txt"
    path.write_text(render(program))
    command = ["replay", str(path), "--core", fake_core()]
    assert main([*command, "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert (shown["property"], shown["op"], shown["index"]) == ("P7", "load", 2)
    assert main([*command, "--shrink", "--json"]) == 1
    short = json.loads(capsys.readouterr().out)
    assert len(short["program"]) == 2 * 32
    path.write_bytes(encode(Program(run=(op("load"),))))
    assert main(command) == 0
    assert "every property held" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--core", "no.so"], "--core no.so: there is no such file"),
        (["--core", __file__], "not a core of hv"),
        (["--strategy", "g8"], "no strategy 'g8': there are g0, g1"),
        (["--seed", "-1"], "a seed is 0 to 1048575: -1"),
        (["--seed", "x"], "not a valid integer"),
        (["--execs", "0"], "not in the range"),
        (["--oracles", "none"], "--oracles none: expected audit, each"),
        (["--workers", "1", "--dask", "x"], "--workers or --dask"),
        (["--out", "/proc/no/such"], "--out /proc/no/such: No such file"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    args: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fuzz", *SMALL, *args]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert not said.out


def test_an_unknown_core(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", *SMALL, "--core", "X99"]) == 2
    assert "--core X99: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "No such file"),
        (b"hvp 1\nrun\n what", "line 3: expected `vm0.0 kernel"),
        (b"hvp \xff", "neither a program nor UTF-8"),
    ],
)
def test_a_file_that_is_no_program(
    data: bytes | None,
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "x.hvp"
    if data is not None:
        path.write_bytes(data)
    assert main(["replay", str(path)]) == 2
    assert says in capsys.readouterr().err


def test_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["fuzz", "--table", "--core", fake_core(), "--workers", "0"]
    command += ["--strategy", "g2,g3", "--trials", "3", "--execs", "300"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    assert "G2" in capsys.readouterr().out
    table = json.loads((tmp_path / "table.json").read_text())
    assert [cell["trials"] for cell in table["cells"]] == [3, 3]
    assert (tmp_path / "survival.svg").read_text().startswith("<svg")

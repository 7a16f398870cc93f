"""The commands: hv run --save, hv restore, hv snapshot show."""

import json
from pathlib import Path

import pytest

import hv
from hv.cli.app import main


def test_a_run_in_two_parts_prints_what_one_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "vm.hv")
    guest = ["kernel-native", "--append", "run=sieve"]
    assert main(["run", *guest]) == 0
    whole = capfd.readouterr().out
    assert main(["run", *guest, "--save", file, "--at", "200000"]) == 0
    first = capfd.readouterr()
    assert "saved after" in first.err
    assert main(["snapshot", "show", file, "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["style"] == "emulate"
    assert shown["insns"] == hv.read_snapshot(file).insns
    assert main(["snapshot", "show", file]) == 0
    assert "different pages" in capfd.readouterr().out
    assert main(["restore", file, "--engine", "ref", "--stats"]) == 0
    assert first.out + capfd.readouterr().out == whole
    assert main(["restore", file, "--max-insns", "10"]) == 4
    assert main(["restore", file, "--json"]) == 0


def test_what_is_wrong_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "vm.hv"
    file.write_bytes(b"no image")
    assert main(["restore", str(file)]) == 2
    assert "vm.hv: it is no saved VM" in capfd.readouterr().err
    assert main(["run", "kernel-native", "--save", "x"]) == 2
    assert "--at" in capfd.readouterr().err
    bare = ["--style", "bare", "--save", "x", "--at", "5"]
    assert main(["run", "kernel-native", *bare]) == 2
    assert "not for bare" in capfd.readouterr().err
    hostile = ["run", "kernel-native", "--append", "run=sieve"]
    late = ["--save", str(file), "--at", "99999999"]
    assert main([*hostile, *late]) == 0
    assert "not saved" in capfd.readouterr().err
    assert file.read_bytes() == b"no image"


HOST = """
[host]
harts = 2

[[vm]]
name = "one"
image = "kernel-native"
append = "run=sieve"

[[vm]]
name = "two"
image = "kernel-pv"
append = "run=sieve,forks"
"""


def test_a_host_in_two_parts_prints_what_one_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, plan = str(tmp_path / "host.hv"), tmp_path / "host.toml"
    plan.write_text(HOST)
    assert main(["up", str(plan)]) == 0
    whole = [
        it
        for it in capfd.readouterr().out.splitlines()
        if "|" in it and "ticks" not in it
    ]
    assert main(["up", str(plan), "--save", file, "--at", "5ms"]) == 0
    first = capfd.readouterr()
    assert "saved after 0.005" in first.err
    assert main(["snapshot", "show", file, "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert [vm["name"] for vm in shown["vms"]] == ["one", "two"]
    assert main(["snapshot", "show", file]) == 0
    assert "different pages" in capfd.readouterr().out
    assert main(["restore", file, "--engine", "ref"]) == 0
    rest = capfd.readouterr().out
    lines = [
        it
        for it in (first.out + rest).splitlines()
        if "|" in it and "ticks" not in it
    ]
    assert sorted(lines) == sorted(whole)
    assert "one ended: off" in rest
    assert main(["restore", file, "--json"]) == 0
    ended = json.loads(capfd.readouterr().out)
    assert {vm["state"] for vm in ended["vms"]} == {"off"}
    assert main(["restore", file, "--max-insns", "10"]) == 4
    assert "still ran" in capfd.readouterr().err


def test_what_is_wrong_with_a_host_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, plan = tmp_path / "host.hv", tmp_path / "host.toml"
    plan.write_text(HOST)
    assert main(["up", str(plan), "--save", str(file)]) == 2
    assert "--at" in capfd.readouterr().err
    with hv.Hypervisor(ram="8MiB") as host:
        host.create(mem="1MiB")
        host.save(file)
    assert main(["restore", str(file), "--harts", "2"]) == 2
    assert "a saved VM" in capfd.readouterr().err
    file.write_bytes(file.read_bytes()[:-1])
    for command in (["restore"], ["snapshot", "show"]):
        assert main([*command, str(file)]) == 2
        assert "host.hv: it has" in capfd.readouterr().err

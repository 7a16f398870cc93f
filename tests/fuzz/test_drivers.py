"""The drivers for other fuzzers: what can be built here works."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from hv.fuzz import decode, ops
from hv.fuzz.native import generate
from tests.equivalence.core import ROOT

BUILD = ROOT / "tools" / "fuzz" / "build.py"


def test_a_dictionary_has_every_operation() -> None:
    spec = spec_from_file_location("fuzz_build", BUILD)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = module.dictionary().splitlines()
    assert len(lines) == len(ops.table())
    for line, op in zip(lines, ops.table(), strict=True):
        name, _, text = line.partition("=")
        data = text.strip('"').encode().decode("unicode_escape")
        (record,) = decode(data.encode("latin-1")).records
        assert record.row.name == name == op.name


@pytest.mark.slow
def test_what_can_be_built_runs_programs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BUILD), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "hvp-run",
        "hvp-libfuzzer",
        "hvp-afl",
    ]
    for line in lines[1:]:
        name = line.partition(":")[0]
        assert (tmp_path / name).exists() or "skipped: " in line
    for seed in range(4):
        program = generate("g1", seed)
        subprocess.run([str(tmp_path / "hvp-run")], input=program, check=True)

"""The tools that judge everything else are judged here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.conftest import commands, matches
from tools import coverage
from tools.check_floors import ROOT
from tools.coverage import PARTS, Sum, shortfalls

SKIPS = {
    "test.py": "import pytest\ndef test_it() -> None:\n    pytest.skip('x')\n",
    "module.py": "import pytest\npytest.importorskip('no_such_module')\n",
}


def test_no_block_of_the_book_needs_sphinx() -> None:
    """They are run by `make test`, which installs none."""
    block = re.compile(r"^from (docs\.\w+) import", re.MULTILINE)
    pages = [page.read_text() for page in (ROOT / "docs").rglob("*.md")]
    used = {name for page in pages for name in block.findall(page)}
    assert used
    code = f"import sys; sys.modules['sphinx'] = None; import {', '.join(used)}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", SKIPS)
@pytest.mark.parametrize("refuse", [False, True])
def test_a_skip_is_a_failure_when_nothing_may_be_missing(
    tmp_path: Path, name: str, *, refuse: bool
) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (tmp_path / f"test_{name}").write_text(SKIPS[name])
    env = os.environ | {"HV_NO_SKIP": "1" if refuse else ""}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("--rootdir", str(tmp_path), str(tmp_path)),
        ],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("HV_NO_SKIP is set" in done.stdout) is refuse, done.stdout
    assert (done.returncode in (1, 2)) is refuse


def test_a_console_block_is_split_into_commands() -> None:
    block = "$ one\n1\n$ two \\\n  more\n$ three\n3\n...\n"
    assert commands(block) == [
        ("one", "1\n"),
        ("two \\\n  more", ""),
        ("three", "3\n...\n"),
    ]


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ("a\n...\nz", "a\nb\nc\nz\n", True),
        ("a\nz", "a\nb\nz\n", False),
        ("", "anything", True),
        ("ok", "ok\n", True),
    ],
)
def test_an_ellipsis_stands_for_anything(
    expected: str, got: str, *, same: bool
) -> None:
    assert matches(expected, got) is same


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (Sum(lines=100, run=95, branches=100, taken=90), []),
        (
            Sum(lines=100, run=94, branches=100, taken=90),
            ["94.0% of the lines"],
        ),
        (
            Sum(lines=1000, run=1000, branches=1000, taken=899),
            ["89.9% of the branches"],
        ),
        (Sum(), ["nothing of it has run"]),
    ],
)
def test_each_part_of_the_core_has_to_reach_the_aims(
    part: Sum, says: list[str]
) -> None:
    """One that is well covered does not make up for another."""
    good = Sum(lines=10_000, run=10_000, branches=10_000, taken=10_000)
    for floor, name in PARTS.items():
        found = list(shortfalls(dict.fromkeys(PARTS, good) | {floor: part}))
        assert len(found) == len(says)
        for words, wanted in zip(found, says, strict=True):
            assert words.startswith(f"{name}: {wanted}")


def test_a_core_of_another_text_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One bug more, one line more: the numbers mean other lines."""

    def report(first: int, *counts: int) -> dict[str, object]:
        lines = [
            {"line_number": number, "count": count, "branches": []}
            for number, count in enumerate(counts, first)
        ]
        return {"files": [{"file": "csrc/hyp/vm.c", "lines": lines}]}

    cores = [report(10, 1, 0), report(10, 0, 3), report(11, 5, 5)]
    monkeypatch.setattr(coverage, "reports", lambda _: iter(cores))
    found = coverage.collect([])["hyp/vm.c"]
    assert {n: line.count for n, line in found.items()} == {10: 1, 11: 3}

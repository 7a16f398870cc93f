"""Run the book: its Python blocks, and what it shows people typing.

A ```` ```console ```` block holds commands, each after ``$ ``, and under each
what it prints; ``...`` stands for anything. A command must succeed: to show
one that fails, show its exit status too (``hv run ...; echo "exit $?"``). A
command to be read and not run goes into an ``sh`` block.
"""

import difflib
import doctest
import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser

# What makes the book's figures is imported by Sphinx, which tests do without.
if find_spec("sphinx") is None:
    collect_ignore_glob = ["*.py"]

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def environment() -> dict[str, str]:
    """Return the environment of a reader: our hv, a plain terminal."""
    tools = str(Path(sys.executable).parent)
    return os.environ | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


def commands(block: str) -> list[tuple[str, str]]:
    """Split a block into commands and what each is to print."""
    parts = re.split(r"^\$ ((?:.*\\\n)*.*)\n?", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def run_console(example: Example) -> str | None:
    """Run each command; return what differs, or None."""
    folder = example.namespace.setdefault("folder", tempfile.mkdtemp())
    for command, expected in commands(example.parsed):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            return f"$ {command}\n{done.stdout}[exit {done.returncode}]"
        if not matches(expected, done.stdout):
            diff = difflib.ndiff(
                expected.splitlines(keepends=True),
                done.stdout.splitlines(keepends=True),
            )
            return f"$ {command}\n" + "".join(diff)
    return None


def matches(expected: str, got: str) -> bool:
    """Tell whether a command printed what the book says."""
    if not expected.strip():
        return True
    checker = doctest.OutputChecker()
    return checker.check_output(expected.strip(), got.strip(), FLAGS)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a chapter in one process: each example builds on those above."""
    for item in items:
        if item.path.suffix == ".md":
            item.add_marker(pytest.mark.xdist_group(item.path.name))


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser(language="console", evaluator=run_console),
    ],
    patterns=["*.md", "*/*.md"],
).pytest()

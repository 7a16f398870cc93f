"""Any command line: a documented exit status, and never a traceback."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hv.cli.app import app, main
from tests.control import programs as p
from tests.control.elfs import kernel

# They compile, run for long whatever they are told, or wait for a debugger.
LEFT_OUT = {"cc", "build", "bench", "compare", "demo", "doctor"}
LEFT_OUT |= {"fuzz", "explore", "lab", "zoo", "gdb"}
STATUS = {0, 1, 2, 3, 4}

GOOD_FILE = '[[vm]]\nname = "a"\nimage = "good.elf"\n'
FILES = {
    "good.elf": kernel([*p.say("hi"), *p.off()]),
    "fails.elf": kernel(p.off(3)),
    "lost.elf": kernel(p.lost()),
    "cut.elf": kernel(p.off())[:60],
    "empty": b"",
    "text.toml": GOOD_FILE.encode(),
    "wrong.toml": b'[[vm]]\nnamed = "a"\n',
    "binary.toml": bytes(range(256)),
}
words = st.sampled_from(
    [*FILES, "x", "", "-", "--", "-1", "0", "1", "2", "8", "9", "4096", "1e9",
     "nan", "inf", "0x", "0x80000000", "0x80400000", "0xfffffffff", "1MiB",
     "16MiB", "1GiB", "99TiB", "-5MiB", "1ms", "0ns", "-1s", "a=b", "a:b",
     "none", "pv", "emulate", "edf", "out.svg", "out.json", "no/such/out.svg",
     ".", "/", "good.elf=cap:10", "good.elf:8MiB", "0,1", "0-9", "\udc80",
     "é", "a" * 300, "%s%n", "kernel", "--help", "--json", "a\nb"]
)  # fmt: skip


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Return all commands, with what has to be typed."""
    for name, command in app.commands.items():
        if isinstance(command, click.Group):
            for inner, each in command.commands.items():
                yield (name, inner), each
        else:
            yield (name,), command


COMMANDS = [(n, c) for n, c in commands() if not LEFT_OUT & {*n}]


def options(command: click.Command) -> st.SearchStrategy[list[str]]:
    """Return options of a command with values that fit, or do not."""
    choices = []
    for parameter in command.params:
        if not isinstance(parameter, click.Option):
            continue
        names = st.sampled_from([*parameter.opts, *parameter.secondary_opts])
        if parameter.is_flag:
            choices.append(names.map(lambda name: [name]))
            continue
        values = words
        if isinstance(parameter.type, click.Choice):
            values = values | st.sampled_from(list(parameter.type.choices))
        choices.append(st.tuples(names, values).map(list))
    if not choices:
        return st.just([])
    return st.lists(st.one_of(choices), max_size=4).map(
        lambda parts: [word for part in parts for word in part]
    )


lines = st.one_of(
    *[
        st.tuples(
            st.just(list(name)),
            st.lists(words | st.just("good.elf"), max_size=3),
            options(command),
        ).map(lambda parts: [word for part in parts for word in part])
        for name, command in COMMANDS
        if command.params
    ],
    st.lists(words | st.sampled_from(list(app.commands)), max_size=3).filter(
        lambda line: not LEFT_OUT & {*line, "guests"} or not line
    ),
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield tmp_path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture,
                                 HealthCheck.too_slow])  # fmt: skip
@given(lines)
@example(["run", "good.elf"])
@example(["run", "fails.elf", "--style", "bare"])
@example(["up", "wrong.toml"])
@example(["run", "\udc80"])
def test_any_command_line(
    here: Path, capsys: pytest.CaptureFixture[str], line: list[str]
) -> None:
    for name, data in FILES.items():
        (here / name).write_bytes(data)
    assert isinstance(sys.stderr, io.TextIOWrapper)
    sys.stderr.reconfigure(errors="backslashreplace")  # as Python's own is
    status = main(line)
    said = capsys.readouterr()
    assert status in STATUS, said.err
    assert "Traceback" not in said.err
    if status == 2:  # without an argument, help is what is said
        assert said.err or "Usage: hv" in said.out

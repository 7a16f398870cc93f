"""A channel is found under policies that share time, and none under slots."""

import json

import pytest

from hv import covert
from hv.cli.app import main
from hv.errors import UsageError

QUICK = ("assist", "pv")
STYLES = [
    pytest.param(style, marks=() if style in QUICK else pytest.mark.slow)
    for style in ("emulate", "assist", "nested", "pv", "direct")
]


@pytest.mark.parametrize("style", STYLES)
def test_a_channel_is_found_under_credit_and_carries_a_message(
    style: str,
) -> None:
    channel = covert.look("credit", style=style, pairs=5).channel
    assert channel
    assert channel.wrong <= 6  # of 64 bits that it has not been taught with
    assert channel.rate > 500
    assert channel.got == channel.ear.read(channel.heard)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["rr", "fair", "sampled"])
def test_nothing_else_that_shares_time_closes_it(policy: str) -> None:
    channel = covert.look(policy, pairs=5).channel
    assert channel
    assert channel.wrong <= 12


@pytest.mark.parametrize("style", STYLES[:-1])
def test_none_is_found_under_slots(style: str) -> None:
    """Where slots can be had: a direct guest sees real frame numbers."""
    assert covert.look("slots", style=style, pairs=6).channel is None


def test_under_slots_the_listener_does_hear_itself() -> None:
    """Or nobody would tell anybody anything."""
    setting = covert.Setting("slots", "assist", "fast", 16)
    counts = setting.heard((), (), (False,) * 16)
    assert min(counts[3:]) > 100  # the first windows are for booting


def test_the_outcome_depends_on_the_arguments_alone() -> None:
    first = covert.look(pairs=2, windows=8, seed=7)
    assert covert.look(pairs=2, windows=8, seed=7) == first
    assert covert.look(pairs=2, windows=8, seed=7, engine="ref") == first
    assert covert.look(pairs=2, windows=8, seed=8) != first


def test_an_ear_is_taught_by_example() -> None:
    ear = covert.Ear.taught((False, True, True, False), (900, 20, 30, 800))
    assert ear.read((1000, 0)) == (False, True)
    ear = covert.Ear.taught((False, True), (3, 5))
    assert ear.read((3, 5, 6)) == (False, True, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"policy": "edf"}, "budgets"),
        ({"policy": "slots", "style": "direct"}, "sees what others do"),
        ({"policy": "luck"}, "no policy 'luck'"),
        ({"style": "bare"}, "no style 'bare'"),
        ({"pairs": 0}, "pairs must be in"),
        ({"windows": 257}, "windows must be in 1..256"),
        ({"seed": -1}, "seed must be in"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(
    arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        covert.look(**arguments)  # type: ignore[arg-type]


def test_the_command_says_what_was_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["covert", "--pairs", "2"]) == 1
    out = capsys.readouterr().out
    assert "credit, style assist: a channel" in out
    told = out.split("heard ")[1].split()[0]
    assert main(["covert", "--pairs", "2", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["channel"]["got"] == told
    assert main(["covert", "--pairs", "2", "--policy", "slots"]) == 0
    assert "no channel in 2 pairs" in capsys.readouterr().out

"""``hv covert``: what one VM hears of what another one does."""

import json
from typing import TYPE_CHECKING

import rich_click as click

from hv.cli import options
from hv.facts import U32, Policy, Style

if TYPE_CHECKING:
    from hv.covert import Behaviour, Bits, Channel, Look

FOUND = 1
POLICIES = [str(p) for p in Policy if p is not Policy.EDF]


@click.command()
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    default=str(Policy.CREDIT),
    show_default=True,
    help="How the scheduler chooses who runs.",
)
@click.option(
    "--style",
    type=click.Choice([str(style) for style in Style]),
    default=str(Style.ASSIST),
    show_default=True,
    help="How both VMs are virtualized.",
)
@click.option(
    "--pairs",
    type=click.IntRange(1, U32),
    default=12,
    show_default=True,
    metavar="N",
    help="Pairs of things that a sender may do.",
)
@click.option(
    "--seed", type=click.IntRange(0, U32), default=1, show_default=True
)
@options.engine()
@options.as_json
def covert(
    *,
    policy: str,
    style: str,
    pairs: int,
    seed: int,
    engine: str,
    as_json: bool,
) -> int:
    """Look for a covert channel from one VM to another.

    Draws pairs of things that a VM can do, one for 0 and one for 1, and looks
    whether a VM that shares nothing but the hart can tell them apart. Exit
    status: 0 if it cannot, 1 if it can.
    """
    from hv.covert import look  # noqa: PLC0415 -- lazily

    found = look(policy, style=style, pairs=pairs, seed=seed, engine=engine)
    if as_json:
        print(json.dumps(_report(found), indent=2))
    else:
        print("\n".join(_lines(found)))
    return FOUND if found.channel else 0


def _lines(found: "Look") -> list[str]:
    begin = f"{found.policy}, style {found.style}: "
    channel = found.channel
    if channel is None:
        none = f"{begin}no channel in {found.pairs} pairs: whatever one VM does"
        return [f"{none}, the other counts the same"]
    than = "more than" if channel.ear.one else "at most"
    ear = channel.ear
    bits = f"{channel.wrong} of {len(channel.sent)} bits"
    return [
        f"{begin}a channel, the best of {found.pairs} pairs",
        f"  for 0 the sender does: {_words(channel.zero)}",
        f"  for 1: {_words(channel.one)}",
        f"  a 1 is if the listener gets round {than} {ear.above:,} times",
        f"  sent  {_digits(channel.sent)}",
        f"  heard {_digits(channel.got)}",
        f"  {bits} wrong: {channel.rate:,.0f} bits a second of guests' time",
    ]


def _words(behaviour: "Behaviour") -> str:
    return ", ".join(map(str, behaviour)) or "look at the clock"


def _digits(bits: "Bits") -> str:
    return "".join(str(int(bit)) for bit in bits)


def _report(found: "Look") -> dict[str, object]:
    return {
        "policy": found.policy,
        "style": found.style,
        "pairs": found.pairs,
        "channel": found.channel and _channel(found.channel),
    }


def _channel(channel: "Channel") -> dict[str, object]:
    return {
        "zero": [[piece.kind, piece.count] for piece in channel.zero],
        "one": [[piece.kind, piece.count] for piece in channel.one],
        "sent": _digits(channel.sent),
        "got": _digits(channel.got),
        "heard": list(channel.heard),
        "wrong": channel.wrong,
        "bits_per_second": round(channel.rate, 3),
    }

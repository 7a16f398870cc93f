"""Options that several commands have, so that they mean the same in each."""

from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click

from hv.facts import U32, Engine, Sync

MAX_HARTS = 8
_Function = TypeVar("_Function", bound=Callable[..., object])
Option = Callable[[_Function], _Function]

as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object."
)
stats = click.option(
    "--stats", is_flag=True, help="Print what was counted (stderr)."
)
quantum = click.option(
    "--quantum",
    type=click.IntRange(1, U32),
    metavar="Q",
    help="Cycles that a hart runs before it is another's turn.",
)
dask = click.option("--dask", metavar="ADDRESS", help="A cluster instead.")

# Of a guest and the way in which it is run.
sync = click.option(
    "--sync",
    type=click.Choice([str(sync) for sync in Sync]),
    default=str(Sync.DEFAULT),
    show_default=True,
    help="How its shadow tables follow its own.",
)
mem = click.option(
    "--mem",
    default="16MiB",
    show_default=True,
    metavar="SIZE",
    help="The guest's memory.",
)
vcpus = click.option(
    "--vcpus",
    type=click.IntRange(1, MAX_HARTS),
    metavar="N",
    help="vCPUs of the guest, in a VM; default: as many as harts.",
)
append = click.option(
    "--append", default="", metavar="S", help="The kernel's command line."
)
flat = click.option(
    "--flat", is_flag=True, help="The image is no ELF file: load it as it is."
)


def engine(
    text: str = "Which interpreter runs the machine.",
    default: Engine | None = Engine.FAST,
) -> Option[Any]:
    """Return the option that chooses an engine.

    :param text: what its help says.
    :param default: None is whatever the command makes of it.
    """
    return click.option(
        "--engine",
        type=click.Choice([str(engine) for engine in Engine]),
        default=default and str(default),
        show_default=default is not None,
        help=text,
    )


def style(*styles: str) -> Option[Any]:
    """Return the option that chooses how a kernel is virtualized.

    What it is if nobody says is the command's affair: it gets None.
    """
    return click.option(
        "--style",
        type=click.Choice(styles),
        help="How it is virtualized; default: pv for a pv kernel, else "
        "emulate.",
    )


def workers(most: int | None = None) -> Option[Any]:
    """Return the option that says how many processes work at once."""
    return click.option(
        "--workers",
        type=click.IntRange(0, most),
        metavar="N",
        help="Processes; 0: this one. Default: one for each processor.",
    )


def harts(
    text: str = "Harts of the machine.", default: int | None = 1
) -> Option[Any]:
    """Return the option that says how many harts there are."""
    return click.option(
        "--harts",
        type=click.IntRange(1, MAX_HARTS),
        default=default,
        show_default=default is not None,
        metavar="N",
        help=text,
    )


def max_insns(text: str) -> Option[Any]:
    """Return the option that ends a guest after so many instructions."""
    return click.option(
        "--max-insns",
        type=click.IntRange(0),
        default=0,
        metavar="N",
        help=text,
    )

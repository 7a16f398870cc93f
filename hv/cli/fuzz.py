"""``hv fuzz``: attack the hypervisor."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import rich_click as click

from hv.cli import options
from hv.errors import UsageError
from hv.paths import exists

if TYPE_CHECKING:
    from hv.fuzz.campaign import Campaign
    from hv.fuzz.pool import Runner

FOUND = 1


@click.command()
@click.option(
    "--strategy",
    default="g3",
    show_default=True,
    metavar="g0..g5|all",
    help="How programs are drawn; several, separated by commas, take turns.",
)
@click.option(
    "--core",
    default="wheat",
    show_default=True,
    metavar="wheat|ID|FILE.so",
    help="What to attack: hv itself, an id of the zoo, or a library.",
)
@click.option("--time", "seconds", type=click.FloatRange(0), metavar="S")
@click.option("--execs", type=click.IntRange(1), metavar="N")
@options.workers()
@options.dask
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep findings there, and go on where one left off.",
)
@click.option(
    "--oracles",
    metavar="NAME,...",
    help="Which checks to make; default all but each.",
)
@click.option(
    "--audit-every", type=click.IntRange(1), default=32, show_default=True
)
@click.option(
    "--table",
    is_flag=True,
    help="Instead: how soon each strategy finds each bug of --core.",
)
@click.option("--trials", type=click.IntRange(1), default=5, show_default=True)
@options.as_json
def fuzz(
    *,
    strategy: str,
    core: str,
    seconds: float | None,
    execs: int | None,
    workers: int | None,
    dask: str | None,
    seed: int,
    out: Path | None,
    oracles: str | None,
    audit_every: int,
    table: bool,
    trials: int,
    as_json: bool,
) -> int:
    """Attack the hypervisor with programs at random.

    Ends after --time seconds, or --execs programs in all; else with Ctrl-C.
    Exit status: 0 if nothing was found, else 1.

    With --table, each strategy attacks each bug in --trials of at most --execs
    programs: --core names bugs, separated by commas; `wheat` means all of the
    zoo.
    """
    if table:
        return _table(
            core,
            strategy,
            trials,
            execs or 10000,
            seed,
            workers,
            dask,
            out,
            as_json=as_json,
        )
    from hv.fuzz import native  # noqa: PLC0415 -- lazily
    from hv.fuzz.campaign import (  # noqa: PLC0415
        Campaign,
        Settings,
        strategies_named,
    )

    path = core_path(core)
    native.load(path)
    settings = Settings(
        strategies=strategies_named(strategy),
        core=path,
        seed=seed,
        oracles=oracles_named(oracles),
        audit_every=audit_every,
    )
    campaign = Campaign.open(settings, out)
    with _runner(workers, dask) as runner:
        _go(campaign, runner, seconds, execs, as_json=as_json)
    if as_json:
        print(json.dumps(_report(campaign), indent=2))
    else:
        from hv.fuzz.show import summary  # noqa: PLC0415 -- loads rich

        print(summary(campaign))
        if out and campaign.findings:
            print(f"kept in {out}; `hv replay FILE` shows one")
    return FOUND if campaign.findings else 0


def _table(
    core: str,
    strategy: str,
    trials: int,
    execs: int,
    seed: int,
    workers: int | None,
    dask: str | None,
    out: Path | None,
    *,
    as_json: bool,
) -> int:
    from hv.cli.table import table as columns  # noqa: PLC0415 -- lazily
    from hv.fuzz.campaign import (  # noqa: PLC0415
        Campaign,
        Settings,
        strategies_named,
    )
    from hv.fuzz.tables import measure  # noqa: PLC0415

    names = strategies_named(strategy)
    Campaign.open(Settings(seed=seed), None)  # the bounds of a seed
    cores = {name: core_path(name) for name in _bugs(core)}
    with _runner(workers, dask) as runner:
        done = measure(
            *(cores, names, runner), trials=trials, limit=execs, seed=seed
        )
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / "table.json").write_text(done.to_json())
            (out / "survival.svg").write_text(done.to_svg())
        except OSError as error:
            raise UsageError(f"--out {out}: {error.strerror}") from None
    if as_json:
        print(done.to_json(), end="")
    else:
        heads = ("BUG", *(name.upper() for name in names))
        print(columns(heads, done.rows(), right=()))
    return 0


def _bugs(core: str) -> list[str]:
    if core != "wheat":
        return core.split(",")
    zoo = _zoo("--table: no zoo to attack; name libraries with --core")
    return [record.id for record in zoo.records()]


def _zoo(otherwise: str) -> ModuleType:
    """Return hv.zoo, which needs the sources; or say what is wrong."""
    try:
        return import_module("hv.zoo")
    except ImportError:
        raise UsageError(otherwise) from None


def _go(
    campaign: "Campaign",
    runner: "Runner",
    seconds: float | None,
    execs: int | None,
    *,
    as_json: bool,
) -> None:
    from rich.console import Console  # noqa: PLC0415 -- lazily

    from hv.fuzz.campaign import run  # noqa: PLC0415
    from hv.fuzz.show import Progress  # noqa: PLC0415

    with Progress(Console(stderr=True, quiet=as_json)) as progress:
        run(
            *(campaign, runner),
            execs=execs,
            enough=_after(seconds),
            watch=progress,
        )


def _after(seconds: float | None) -> Callable[[], bool]:
    if seconds is None:
        return lambda: False
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


@contextmanager
def _runner(workers: int | None, dask: str | None) -> Iterator["Runner"]:
    from hv.fuzz import pool  # noqa: PLC0415 -- lazily

    if dask is not None and workers is not None:
        raise UsageError("--workers or --dask, not both")
    runner: Runner
    if dask is not None:
        runner = pool.Dask(dask)
    elif workers == 0:
        runner = pool.Here()
    else:
        runner = pool.Processes(workers or os.cpu_count() or 1)
    try:
        yield runner
    finally:
        runner.close()


def core_path(name: str) -> str:
    """Return the library that a name of a core means.

    :param name: ``wheat``, a file, or an id of the zoo.
    :raises UsageError: if it means none.
    """
    if name == "wheat" or exists(Path(name)):
        return name
    if name.endswith(".so"):
        raise UsageError(f"--core {name}: there is no such file")
    zoo = _zoo(f"--core {name}: no such file, and no zoo to look for it in")
    try:
        it = zoo.core(name)
    except UsageError as error:
        raise UsageError(f"--core {name}: no such file, and {error}") from None
    return str(zoo.build(it))


def oracles_named(names: str | None) -> int:
    """Return the bits of checks by their names; default all but ``each``.

    :raises UsageError: if there is none of a name.
    """
    from hv.fuzz import ops  # noqa: PLC0415 -- loads the core

    known = ops.oracles()
    if names is None:
        return known["all"] & ~known["each"]
    bits = 0
    for name in names.split(","):
        if name not in known:
            raise UsageError(f"--oracles {name}: expected {', '.join(known)}")
        bits |= known[name]
    return bits


def _report(campaign: "Campaign") -> dict[str, object]:
    sums = campaign.sums
    return {
        "settings": campaign.settings.remembered(),
        "executed": sums.executed,
        "operations": sums.operations,
        "checks": sums.checks,
        "states": sums.states.bit_count(),
        "findings": [
            {
                "property": finding.key.property,
                "op": finding.key.op,
                "what": finding.what,
                "strategy": finding.strategy,
                "seed": finding.seed,
                "times": finding.times,
                "program": finding.data.hex(),
            }
            for _, finding in sorted(campaign.findings.items())
        ],
    }

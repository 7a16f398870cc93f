"""What the commands share that run several VMs: a domain file, or images.

``hv trace``, ``hv gantt`` and ``hv top`` take either; options change what a
file says of its host, and are all there is for images.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from hv.cli import options
from hv.domains.checks import Check, Wrong, seconds, ticks
from hv.errors import HvError, UsageError
from hv.facts import U64, Engine, Policy

if TYPE_CHECKING:
    from hv.domains.plan import HostPlan, Plan

LIMIT = 1.0  # machine seconds that are recorded, if nobody says otherwise
_Command = TypeVar("_Command", bound=Callable[..., object])


def _checked(
    ctx: click.Context, param: click.Parameter, value: str, check: Check
) -> Any:  # noqa: ANN401 -- whatever the check returns
    try:
        return check(int(value) if value.isdecimal() else value)
    except Wrong as error:
        raise click.BadParameter(str(error), ctx, param) from None


def as_seconds(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> float | None:
    """Return a time of the machine, ``20ms``, in seconds."""
    return None if value is None else _checked(ctx, param, value, seconds)


def as_ticks(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> int | None:
    """Return a time of the machine, ``20ms``, in ticks."""
    return None if value is None else _checked(ctx, param, value, ticks)


def as_numbers(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    """Return some numbers, ``256,512``."""
    if value is None:
        return None
    words = [word.strip() for word in value.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise click.BadParameter(
            f"{value!r} are no numbers; 256,512 for example", ctx, param
        )
    return tuple(map(int, words))


_OPTIONS = (
    click.option(
        "--policy",
        type=click.Choice([str(policy) for policy in Policy]),
        help="How the scheduler chooses who runs.",
    ),
    click.option(
        "--slice",
        callback=as_ticks,
        metavar="TIME",
        help="A time slice, 1ms or 100us.",
    ),
    click.option(
        "--period",
        callback=as_ticks,
        metavar="TIME",
        help="What caps and credits are given out for.",
    ),
    options.harts(default=None),
    options.quantum,
    click.option(
        "--interleave",
        type=click.IntRange(0, U64 >> 1),
        metavar="SEED",
        help="Draw the order and the length of turns.",
    ),
    options.engine(default=None),
    click.option(
        "--for",
        "run_for",
        callback=as_seconds,
        metavar="TIME",
        help="End after so much machine time, 20ms or 1.5s.",
    ),
    click.option(
        "--weight",
        callback=as_numbers,
        metavar="W,V",
        help="Of each image: its share against the others.",
    ),
    click.option(
        "--cap",
        callback=as_numbers,
        metavar="C,D",
        help="Of each image: percent of a hart that it gets at most.",
    ),
    click.option(
        "--vcpus",
        type=click.IntRange(1, options.MAX_HARTS),
        metavar="N",
        help="vCPUs of each image.",
    ),
    click.option("--mem", metavar="SIZE", help="Memory of each image."),
    click.option(
        "--append", metavar="S", help="The command line of each image."
    ),
)
_OF_IMAGES = ("weight", "cap", "vcpus", "mem", "append")


def host_options(command: _Command) -> _Command:
    """Give a command the arguments and options that :func:`make_plan` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return click.argument("targets", nargs=-1, metavar="FILE.toml|IMAGE...")(
        command
    )


def make_plan(
    targets: tuple[str, ...], options: dict[str, Any], limit: float | None
) -> "Plan":
    """Return what a domain file, or some images, and options say.

    :param limit: machine seconds, if neither file nor options give an end.
    :raises UsageError: if they do not fit together.
    """
    from hv.domains.load import (  # noqa: PLC0415 -- loads the core
        is_file,
        load,
    )

    if not targets:
        raise UsageError(
            "name a domain file, or images; `hv images` lists some"
        )
    files = [target for target in targets if is_file(target)]
    if files and len(targets) > 1:
        raise UsageError("one domain file, or images: not both, nor two files")
    chosen = {key: value for key, value in options.items() if value is not None}
    if files:
        for key in _OF_IMAGES:
            if key in chosen:
                raise UsageError(
                    f"--{key} is for images; {files[0]} says it for its VMs"
                )
        plan = load(files[0])
    else:
        plan = _of_images(targets, chosen)
    changes = {k: v for k, v in chosen.items() if k not in _OF_IMAGES}
    host = _changed(plan.host, changes)
    if host.run_for is None and not host.max_insns:
        host = replace(host, run_for=limit)
    return replace(plan, host=host)


def _changed(host: "HostPlan", changes: dict[str, Any]) -> "HostPlan":
    kinds: dict[str, Callable[[Any], Any]] = {
        "policy": Policy,
        "engine": Engine,
    }
    for key, value in changes.items():
        kind = kinds.get(key, lambda same: same)
        host = replace(host, **{key: kind(value)})
    return host


def _of_images(targets: tuple[str, ...], options: dict[str, Any]) -> "Plan":
    from hv.domains.plan import (  # noqa: PLC0415 -- lazily
        Boot,
        HostPlan,
        Plan,
        VmPlan,
    )
    from hv.facts import Style  # noqa: PLC0415
    from hv.images import resolve  # noqa: PLC0415
    from hv.units import parse_size  # noqa: PLC0415

    vms, boots = [], {}
    for i, target in enumerate(targets):
        path, style = resolve(target)
        stem = Path(target).stem
        earlier = sum(Path(other).stem == stem for other in targets[:i])
        name = f"{stem}-{earlier + 1}" if earlier else stem
        boots[name] = Boot(path, Style(style))
        vms.append(
            VmPlan(
                name=name,
                image=target,
                memory=parse_size(options.get("mem", "16MiB")),
                vcpus=options.get("vcpus", 1),
                weight=_nth("weight", options, i, targets),
                cap=_nth("cap", options, i, targets),
                append=options.get("append", ""),
            )
        )
    return Plan(HostPlan(), tuple(vms), boots=boots)


def _nth(
    what: str, options: dict[str, Any], i: int, targets: tuple[str, ...]
) -> int | None:
    """Return an image's own number, or that of all."""
    given: tuple[int, ...] | None = options.get(what)
    if given is None:
        return None
    if len(given) not in (1, len(targets)):
        raise UsageError(
            f"--{what}: {len(given)} numbers for {len(targets)} images; "
            "one for each, or one for all"
        )
    return given[i % len(given)]


def write(path: Path, text: str) -> None:
    """Write a file.

    :raises HvError: if it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HvError(f"{path}: {error.strerror}") from None

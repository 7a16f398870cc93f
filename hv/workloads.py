"""One guest, every way of virtualizing it: run the workloads.

>>> import hv
>>> report = hv.compare(workloads=["compute"], engine="fast")
>>> [run.way for run in report.comparisons[0].runs][0], report.differences
('bare', ())

Each workload is a program of the guest kernels that shows one cost
(guestkernel/user). It runs on the bare machine and in each way that an image
can be run in; :mod:`hv.comparison` says what came out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from hv import images
from hv.comparison import Comparison, Report, Run
from hv.counters import Counters
from hv.errors import GuestError, UsageError
from hv.facts import U32, Engine, Style, Sync, choose, integer
from hv.guest import Guest
from hv.hypervisor import Hypervisor
from hv.images import Image
from hv.machine import Machine

BARE = "bare"
REFERENCE = "kernel-native"
WORKLOADS = {
    "compute": "nothing but arithmetic",
    "syscalls": "system calls that do nothing",
    "storm": "processes that fork, exec and end",
    "churn": "pages mapped elsewhere, taken and given back",
    "thrash": "more pages than the TLB holds",
    "mixed": "some of everything",
}
# For kernels with several harts, and only run by name: see ``WORKLOADS``.
PARALLEL = {
    "parallel": "processes that have nothing to do with each other",
    "locks": "processes that all want the same lock of their kernel",
    "shoot": "threads whose memory is mapped elsewhere under them",
}
MEMORY = "16MiB"
LIMIT = 10_000_000_000  # instructions after which a run counts as hanging

_LINE = re.compile(r"^\[(\d+ \w+)\] (.*?)\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run an image: a style, with a name for people."""

    image: Image
    style: str
    name: str
    sync: str = Sync.DEFAULT


# Beside the default, for styles with shadow tables whose kernel does not tell.
_SYNCS = {
    Style.EMULATE: (Sync.TRACE, Sync.TRACE_STRICT),
    Style.ASSIST: (Sync.TRACE,),
}


def ways_of(image: Image) -> list[Way]:
    """Return the ways to virtualize an image.

    They are its styles that hv has, and for some of these other policies by
    which shadow tables follow the guest's.
    """
    ways = []
    for style in image.styles:
        if style not in set(Style):
            continue
        ways.append(Way(image, style, style))
        ways += [
            Way(image, style, f"{style}/{sync.removeprefix('trace-')}", sync)
            for sync in _SYNCS.get(Style(style), ())
        ]
    return ways


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be compared, with every name checked: see :func:`plan`."""

    bare: Image
    ways: tuple[Way, ...]
    workloads: tuple[str, ...]
    engine: Engine
    scale: int
    costs: Mapping[str, int] = field(default_factory=dict)

    def run(self) -> Iterator[Comparison]:
        """Run one workload after another, each on a fresh machine."""
        ways = (Way(self.bare, BARE, BARE), *self.ways)
        for workload in self.workloads:
            runs = tuple(self._run(way, workload) for way in ways)
            about = (WORKLOADS | PARALLEL)[workload]
            yield Comparison(workload, about, runs)

    def _run(self, way: Way, workload: str) -> Run:
        if way.style == BARE:
            with Machine(
                ram=MEMORY, engine=self.engine, costs=self.costs
            ) as machine:
                ending = self._attend(machine, way, workload)
                hart = machine.hart_counters()
                return _record(
                    machine, way, workload, Counters({}), hart, ending
                )
        with Hypervisor(engine=self.engine, costs=self.costs) as hypervisor:
            vm = hypervisor.create(style=way.style, sync=way.sync, mem=MEMORY)
            ending = self._attend(vm, way, workload)
            hypervisor.audit()
            hart = hypervisor.hart_counters()
            return _record(vm, way, workload, vm.counters, hart, ending)

    def _attend(self, guest: Guest, way: Way, workload: str) -> str:
        """Run a guest to its end; return why that is no success, or nothing."""
        append = f"quiet run={workload} scale={self.scale}"
        guest.load(way.image.path, append=append)
        guest.boot()
        try:
            guest.run_until("halt", max_insns=LIMIT)
        except GuestError as error:
            return str(error)
        return ""


def _record(
    guest: Guest,
    way: Way,
    workload: str,
    counters: Counters,
    hart: Counters,
    ending: str,
) -> Run:
    output: dict[str, tuple[str, ...]] = {}
    for process, line in _LINE.findall(guest.console.text):
        output[process] = (*output.get(process, ()), line)
    info = guest.info
    return Run(
        image=way.image.name,
        style=way.style,
        way=way.name,
        workload=workload,
        insns=info.insns,
        cycles=info.cycles,
        counters=counters,
        hart=hart,
        output=output,
        ending=ending,
    )


def compare(
    kernels: Iterable[str] = (),
    *,
    styles: Iterable[str] | None = None,
    workloads: Iterable[str] | None = None,
    engine: str = Engine.FAST,
    scale: int = 1,
    costs: Mapping[str, int] | None = None,
) -> Report:
    """Run workloads on the bare machine and in each way of virtualizing.

    :param kernels: images, by name; default: the shipped kernels.
    :param styles: which ways; default: all in which the images run.
    :param workloads: default: all of ``WORKLOADS``; those of
        ``PARALLEL`` may be named as well.
    :param engine: which interpreter; the counts are the same.
    :param scale: how much work each program does.
    :param costs: cycles per elementary step, by name, where not the default.
    :raises UsageError: if a name is unknown, or an image runs in none of the
        styles.
    :raises ImageError: if an image is not there.
    """
    what = plan(
        kernels,
        styles=styles,
        workloads=workloads,
        engine=engine,
        scale=scale,
        costs=costs,
    )
    return Report(tuple(what.run()))


def plan(
    kernels: Iterable[str] = (),
    *,
    styles: Iterable[str] | None = None,
    workloads: Iterable[str] | None = None,
    engine: str = Engine.FAST,
    scale: int = 1,
    costs: Mapping[str, int] | None = None,
) -> Plan:
    """Check what :func:`compare` was asked for, and run nothing yet.

    :raises UsageError: as there.
    :raises ImageError: as there.
    """
    chosen = _kernels(kernels)
    ways = _ways(chosen, styles)
    names = list(WORKLOADS) if workloads is None else list(workloads)
    _known("workload", names, WORKLOADS | PARALLEL)
    return Plan(
        bare=next(
            (image for image in chosen if BARE in image.styles),
            images.find(REFERENCE),
        ),
        ways=tuple(ways),
        workloads=tuple(dict.fromkeys(names)),
        engine=choose(Engine, engine, "engine"),
        scale=integer("scale", scale, 1, U32),
        costs=costs or {},
    )


def _kernels(names: Iterable[str]) -> list[Image]:
    found = [images.find(name) for name in dict.fromkeys(names)]
    if not found:
        images.find(REFERENCE)  # or it says how to get them
        found = [i for i in images.available().values() if i.kind == "kernel"]
    for image in found:
        if image.kind != "kernel":
            raise UsageError(
                f"{image.name} is no kernel with workloads, "
                f"but: {image.description} ({image.kind})"
            )
    return found


def _ways(kernels: Sequence[Image], styles: Iterable[str] | None) -> list[Way]:
    """Return the ways of all images; those that were asked for, if any were."""
    ways = [way for image in kernels for way in ways_of(image)]
    if styles is None:
        return ways
    wanted = list(styles)
    _known("style", wanted, [BARE, *Style, *(way.name for way in ways)])
    for style in wanted:
        if style != BARE and style not in {way.name for way in ways}:
            which = ", ".join(image.name for image in kernels)
            can = ", ".join(dict.fromkeys(way.name for way in ways))
            raise UsageError(
                f"no {style!r} for {which}, which can be run in: {can}"
            )
    return [way for way in ways if way.name in wanted]


def _known(what: str, names: Sequence[str], known: Iterable[str]) -> None:
    there = list(dict.fromkeys(map(str, known)))
    for name in names:
        if name not in there:
            near = get_close_matches(name, there, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ", ".join(there)
            raise UsageError(f"no {what} {name!r}: {hint}")
    if not names:
        raise UsageError(f"no {what} named; there are: {', '.join(there)}")

"""A hypervisor program, executed so that a host is seen between operations.

It is executed once for each of its beginnings: it is the same every time.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hv.fuzz.format import Program, Record, encode
from hv.fuzz.native import Context
from hv.labs.chaff_cores import forget_reached
from hv.labs.look import look
from hv.labs.seen import Host, Step
from hv.labs.trial import Place

QUIET = 0  # no oracle of hv's own: only who is judged looks
_TWICE = 2 + 1  # flags of programs that are run twice: fill, twin


def _beginnings(program: Program) -> Iterator[tuple[Record | None, bytes]]:
    """Return a program cut after each record, and what that record is."""
    program = replace(program, flags=program.flags & ~_TWICE)
    records = program.records
    build, vary = len(program.build), len(program.vary)
    for n in range(len(records) + 1):
        part = program.with_records(
            records[:n], min(n, build), max(0, min(n - build, vary))
        )
        yield records[n - 1] if n else None, encode(part)


def steps(
    context: Context, program: Program, number: int = 0
) -> Iterator[tuple[Place, Step | None]]:
    """Execute a program on a core, step by step.

    A step is None, and the last one, if the host has stopped (an assertion of
    the hypervisor's): nothing is to be seen any more.
    """
    before: Host | None = None
    for n, (record, data) in enumerate(_beginnings(program)):
        verdict = context.execute(data)
        now = look(context)
        if record is None:
            before = now
            continue
        actor = context.actor()
        place = Place(number, n - 1, record.row.name, actor)
        if before is None or now is None:
            yield place, None
            return
        yield place, _step(record, actor, before, now)
        if not verdict.ok:  # it would go no further
            return
        before = now


def _step(record: Record, actor: int, before: Host, now: Host) -> Step:
    cpus = len(before.vms[actor].cpus) if actor in before.vms else 1
    return Step(
        does=record.row.name,
        actor=actor,
        vcpu=record.vcpu % cpus,
        kernel=record.kernel,
        before=before,
        now=now,
    )


def begin(context: Context, program: Program, path: Path) -> None:
    """Make the program's world, and note from there on what is reached."""
    context.execute(encode(program.with_records((), 0, 0)))
    forget_reached(path)

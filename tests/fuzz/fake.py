"""An executor that is none: what it says is a function the test gives."""

from collections.abc import Callable

from hv.fuzz import ops
from hv.fuzz.format import Program, Record
from hv.fuzz.verdict import Verdict

Broken = tuple[str, int] | None  # a property, and the record that breaks it


def executor(
    judge: Callable[[Program], Broken],
) -> Callable[[Program], Verdict]:
    """Return an executor that finds broken what a judge says."""

    def execute(program: Program) -> Verdict:
        found = judge(program)
        if found is None:
            return Verdict(done=len(program.records))
        name, index = found
        kind = program.records[index].op
        return Verdict(broke=name, what="by order", op=index, kind=kind)

    return execute


def op(name: str, *args: int, actor: int = 16) -> Record:
    """Return a record by the name of its operation."""
    a, b, c = (*args, 0, 0, 0)[:3]
    return Record(ops.by_name()[name].number, actor, (a, b, c))


def find(program: Program, *names: str) -> int | None:
    """Return where a subsequence of operations ends, or None."""
    wanted = list(names)
    for i, record in enumerate(program.records):
        if record.row.name == wanted[0]:
            wanted.pop(0)
            if not wanted:
                return i
    return None

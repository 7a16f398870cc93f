"""One program, executed for somebody to look at."""

from dataclasses import dataclass
from typing import Any

from hv.fuzz.format import Program, encode
from hv.fuzz.native import Core
from hv.fuzz.shrink import shrink as shrunk_from
from hv.fuzz.text import render
from hv.fuzz.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Replay:
    """A program and what came of it."""

    program: Program
    verdict: Verdict

    def to_text(self) -> str:
        """Return the program with its verdict, as text that can be parsed."""
        verdict = self.verdict
        if verdict.ok:
            return (
                f"{render(self.program)}"
                f"# every property held: {verdict.done} operations, "
                f"{verdict.checks} checks, state {verdict.hash:016x}\n"
            )
        notes = {verdict.op: f"{verdict.broke}: {verdict.what}"}
        return (
            f"{render(self.program, notes=notes)}"
            f"# {verdict.broke} broken at record {verdict.op}, "
            f"{verdict.key.op}: {verdict.what}\n"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs to read."""
        verdict = self.verdict
        return {
            "program": encode(self.program).hex(),
            "ok": verdict.ok,
            "property": verdict.broke,
            "op": None if verdict.ok else verdict.key.op,
            "index": verdict.op,
            "what": verdict.what,
            "done": verdict.done,
            "steps": verdict.steps,
            "checks": verdict.checks,
            "hash": f"{verdict.hash:016x}",
            "trace": [f"{trace:016x}" for trace in verdict.trace],
        }


def replay(program: Program, core: Core, *, shrink: bool = False) -> Replay:
    """Execute a program with every check after each operation.

    :param shrink: if it breaks something, make it short first.
    :raises HvError: if it needs more memory than there is.
    """
    with core.context(audit_every=1) as context:
        verdict = context.execute(encode(program))
        if shrink and not verdict.ok:
            short = shrunk_from(program, lambda p: context.execute(encode(p)))
            return Replay(short.program, short.verdict)
    return Replay(program, verdict)

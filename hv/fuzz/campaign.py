"""A campaign: pieces without end, or so many, and what they found, on disk.

The folder of a campaign has ``state.json``, written anew after each piece, and
the findings as a corpus (:mod:`hv.fuzz.corpus`). What was interrupted goes on
from there. What stands in the folder after so many executions depends on the
settings alone: not on who did which piece, or how often somebody gave up.
"""

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hv.errors import HvError, UsageError
from hv.fuzz import corpus, native, ops
from hv.fuzz.format import decode
from hv.fuzz.native import Sums
from hv.fuzz.piece import SHRINK_LIMIT, Finding, Result, Task
from hv.fuzz.pool import Runner
from hv.fuzz.verdict import Key, Verdict
from hv.paths import write_atomically

PIECE = 2048
SEEDS = 1 << 40  # of one campaign; the next one's are beside them
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a campaign's outcome depends on.

    :param strategies: of which pieces are done in turn.
    :param core: ``wheat``, or the path of a shared library.
    :param seed: 0 to 2**20 - 1; campaigns of two seeds share no program.
    :param piece: programs of a piece.
    :raises UsageError: if one of them is out of bounds.
    """

    strategies: tuple[str, ...] = ("g3",)
    core: str = native.WHEAT
    seed: int = 0
    oracles: int = native.ALL_ORACLES
    audit_every: int = native.AUDIT_EVERY
    piece: int = PIECE
    shrink_limit: int = SHRINK_LIMIT

    def __post_init__(self) -> None:
        for strategy in self.strategies:
            native.number(strategy)
        if not 0 <= self.seed < 1 << 20:
            raise UsageError(f"a seed is 0 to {(1 << 20) - 1}: {self.seed}")
        if not self.strategies or self.piece < 1 or self.audit_every < 1:
            raise UsageError("a campaign needs a strategy, and counts from 1")

    def task(self, index: int, count: int) -> Task:
        """Return piece ``index`` as a task, cut to ``count`` programs."""
        turn, of = divmod(index, len(self.strategies))
        return Task(
            strategy=self.strategies[of],
            first=self.seed * SEEDS + turn * self.piece,
            count=count,
            core=self.core,
            oracles=self.oracles,
            audit_every=self.audit_every,
            shrink_limit=self.shrink_limit,
        )

    def remembered(self) -> dict[str, Any]:
        """Return what must be the same for a campaign to go on."""
        known = asdict(self) | {"strategies": list(self.strategies)}
        known["core"] = native.identity(self.core)
        return known


@dataclass(slots=True)
class Campaign:
    """What was done so far, and found.

    :param done: pieces: their index, and how many programs they had.
    """

    settings: Settings
    folder: Path | None = None
    done: dict[int, int] = field(default_factory=dict)
    sums: Sums = field(default_factory=Sums)
    findings: dict[Key, Finding] = field(default_factory=dict)

    def pieces(self, execs: int | None) -> Iterator[tuple[int, Task]]:
        """Return what is still to be done, in order; without end if None."""
        size = self.settings.piece
        index = 0
        while execs is None or index * size < execs:
            count = size if execs is None else min(size, execs - index * size)
            if self.done.get(index, 0) < count:
                yield index, self.settings.task(index, count)
            index += 1

    def add(self, index: int, result: Result) -> list[Finding]:
        """Take the result of a piece; return what nobody has found before."""
        self.done[index] = result.task.count
        self.sums.add(result.sums)
        whole = Result(task=result.task, findings=self.findings)
        new = [
            finding
            for key, finding in sorted(result.findings.items())
            if key not in self.findings
        ]
        for finding in result.findings.values():
            known = self.findings.get(finding.key)
            whole.find(finding)
            self._keep(known, self.findings[finding.key])
        self.save()
        return new

    def _keep(self, known: Finding | None, now: Finding) -> None:
        """Write a finding; one that it takes the place of is removed."""
        if self.folder is None:
            return
        if known is not None and known.data != now.data:
            name = f"{known.key.property}/{corpus.digest(known.data)}"
            for suffix in (".hvp", ".txt", ".json"):
                (self.folder / f"{name}{suffix}").unlink(missing_ok=True)
        verdict = Verdict(broke=now.key.property, what=now.what, op=now.index)
        corpus.store(
            self.folder,
            decode(now.data),
            verdict,
            op=now.key.op,
            strategy=now.strategy,
            seed=now.seed,
            times=now.times,
        )

    # ---- the state file -----------------------------------------------------

    def save(self) -> None:
        """Write the state, all of it or nothing."""
        if self.folder is None:
            return
        sums = asdict(self.sums) | {"states": _pack(self.sums.states)}
        state = {
            "version": VERSION,
            "settings": self.settings.remembered(),
            "done": sorted(self.done.items()),
            "sums": sums,
            "findings": [
                _finding_to_json(finding)
                for _, finding in sorted(self.findings.items())
            ],
        }
        data = json.dumps(state, indent=1).encode() + b"\n"
        try:
            write_atomically(self.folder / "state.json", data)
        except OSError as error:
            raise HvError(f"{self.folder}: {error.strerror}") from None

    @classmethod
    def open(cls, settings: Settings, folder: Path | None) -> "Campaign":
        """Return the campaign of a folder, begun or not.

        :raises UsageError: if it cannot be written, or is another campaign's.
        """
        campaign = cls(settings, folder)
        if folder is None:
            return campaign
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / ".probe", b"")
            (folder / ".probe").unlink()
        except OSError as error:
            raise UsageError(f"--out {folder}: {error.strerror}") from None
        path = folder / "state.json"
        if path.exists():
            campaign._load(path)
        return campaign

    def _load(self, path: Path) -> None:
        try:
            state = json.loads(path.read_text())
            known, wanted = state["settings"], self.settings.remembered()
            other = [name for name in wanted if known[name] != wanted[name]]
            self.done = {int(index): int(n) for index, n in state["done"]}
            sums = state["sums"]
            self.sums = Sums(**sums | {"states": _unpack(sums["states"])})
            for finding in map(_finding_from_json, state["findings"]):
                self.findings[finding.key] = finding
        except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
            raise UsageError(
                f"{path} is no state of a campaign: {error!r}"
            ) from None
        for name in other:
            raise UsageError(
                f"{path} is of a campaign with {name} {known[name]}, "
                f"not {wanted[name]}: name another folder"
            )


def _pack(states: int) -> str:
    data = states.to_bytes(native.MAP // 8, "little")
    return base64.b64encode(zlib.compress(data)).decode()


def _unpack(text: str) -> int:
    return int.from_bytes(zlib.decompress(base64.b64decode(text)), "little")


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    return asdict(finding) | {
        "key": list(finding.key),
        "data": base64.b64encode(finding.data).decode(),
        "original": base64.b64encode(finding.original).decode(),
    }


def _finding_from_json(value: dict[str, Any]) -> Finding:
    return Finding(
        **value
        | {
            "key": Key(*value["key"]),
            "data": base64.b64decode(value["data"]),
            "original": base64.b64decode(value["original"]),
        }
    )


Watcher = Callable[[Campaign, list[Finding]], None]


def run(
    campaign: Campaign,
    runner: Runner,
    *,
    execs: int | None = None,
    enough: Callable[[], bool] = lambda: False,
    watch: Watcher = lambda _campaign, _new: None,
) -> None:
    """Do pieces until there are no more, or it is enough.

    :param execs: programs in all, those of earlier runs included; None: on
        and on.
    :param enough: asked before each piece; the pieces at work are finished.
    :param watch: told after each piece, with what is new.
    """
    todo = campaign.pieces(execs)
    at_work: dict[Task, int] = {}
    more = True
    while more or at_work:
        while more and runner.free():
            piece = None if enough() else next(todo, None)
            if piece is None:
                more = False
                break
            index, task = piece
            at_work[task] = index
            runner.submit(task)
        for result in runner.results():
            watch(campaign, campaign.add(at_work.pop(result.task), result))


def strategies_named(name: str) -> tuple[str, ...]:
    """Return the strategies that a name on the command line means.

    :raises UsageError: if it means none.
    """
    if name == "all":
        return ops.STRATEGIES
    names = tuple(name.split(","))
    for one in names:
        native.number(one)
    return names

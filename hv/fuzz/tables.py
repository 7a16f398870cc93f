"""Which strategy finds which bug, and how soon: the table of a fuzzer.

Each trial has its own seeds and ends with the first program that breaks
anything, or after ``limit`` programs. So the table is a function of bugs, seed
and limit; only how long it takes depends on the computer.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log10
from typing import Any

from hv.fuzz.campaign import SEEDS
from hv.fuzz.piece import Result, Task
from hv.fuzz.pool import Runner
from hv.fuzz.survival import Trial, interval, median, survival
from hv.svg import Canvas, colour

TRIAL = 1 << 24  # seeds of a trial


@dataclass(slots=True)
class Cell:
    """One bug attacked by one strategy.

    :param by: the property and operation by which it was found, and how often.
    """

    trials: list[Trial] = field(default_factory=list)
    by: Counter[str] = field(default_factory=Counter)

    @property
    def found(self) -> int:
        """In how many trials it was found."""
        return sum(trial.found for trial in self.trials)

    def to_json(self) -> dict[str, Any]:
        """Return the cell's figures; executions, but for the counts."""
        times = [t.executions for t in self.trials if t.found]
        return {
            "trials": len(self.trials),
            "found": self.found,
            "median": median(self.trials),
            "interval": interval(self.trials),
            "max": max(times, default=None),
            "by": dict(sorted(self.by.items())),
            "executions": sorted([t.executions, t.found] for t in self.trials),
        }


@dataclass(slots=True, kw_only=True)
class Table:
    """All cells, by bug and strategy."""

    limit: int
    seed: int
    cells: dict[tuple[str, str], Cell]

    @property
    def bugs(self) -> list[str]:
        """The bugs, in order."""
        return list(dict.fromkeys(bug for bug, _ in self.cells))

    @property
    def strategies(self) -> list[str]:
        """The strategies, in order."""
        return list(dict.fromkeys(strategy for _, strategy in self.cells))

    def to_json(self) -> str:
        """Return all figures."""
        rows = [
            {"bug": bug, "strategy": strategy} | cell.to_json()
            for (bug, strategy), cell in self.cells.items()
        ]
        whole = {"limit": self.limit, "seed": self.seed, "cells": rows}
        return json.dumps(whole, indent=1) + "\n"

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row for each bug: for each strategy, what is to be said.

        Median and interval of executions, if half of the trials found it;
        else how many did.
        """
        return [
            (
                bug,
                *(_words(self.cells[bug, name]) for name in self.strategies),
            )
            for bug in self.bugs
        ]

    def to_svg(self) -> str:
        """Return a picture: which share of the bugs is not found yet."""
        curves = {
            name: survival(
                [t for bug in self.bugs for t in self.cells[bug, name].trials]
            )
            for name in self.strategies
        }
        return plot(curves, self.limit)


def _words(cell: Cell) -> str:
    middle, bounds = median(cell.trials), interval(cell.trials)
    if middle is None or bounds is None:
        return f"{cell.found}/{len(cell.trials)}"
    high = "-" if bounds[1] is None else bounds[1]
    return f"{middle} ({bounds[0]}..{high})"


def measure(
    cores: Mapping[str, str],
    strategies: Sequence[str],
    runner: Runner,
    *,
    trials: int,
    limit: int,
    seed: int = 0,
    watch: Callable[[str, str, Trial], None] = lambda _b, _s, _t: None,
) -> Table:
    """Attack each bug with each strategy, so many times.

    :param cores: the library of each bug.
    :param limit: programs of a trial, at most.
    :param watch: told after each trial.
    """
    table = Table(
        limit=limit,
        seed=seed,
        cells={(bug, name): Cell() for bug in cores for name in strategies},
    )
    todo: dict[Task, list[str]] = {}  # a library may have several names
    for trial in range(trials):
        for bug, core in cores.items():
            for name in strategies:
                task = Task(
                    strategy=name,
                    first=seed * SEEDS + trial * TRIAL,
                    count=limit,
                    core=core,
                    first_only=True,
                )
                todo.setdefault(task, []).append(bug)
    waiting = list(reversed(todo))
    left = len(waiting)
    while left:
        while waiting and runner.free():
            runner.submit(waiting.pop())
        for result in runner.results():
            left -= 1
            for bug in todo[result.task]:
                name = result.task.strategy
                watch(bug, name, _note(table.cells[bug, name], result))
    return table


def _note(cell: Cell, result: Result) -> Trial:
    first = min((f.seed for f in result.findings.values()), default=None)
    if first is None:
        trial = Trial(result.sums.executed, found=False)
    else:  # a crash may have others behind it
        trial = Trial(first - result.task.first + 1, found=True)
        cell.by.update(
            str(key) for key, f in result.findings.items() if f.seed == first
        )
    cell.trials.append(trial)
    return trial


WIDTH, HEIGHT, LEFT, TOP = 480, 240, 56, 58


def plot(curves: Mapping[str, list[tuple[int, float]]], limit: int) -> str:
    """Return survival curves as the text of an SVG file, executions by decades.

    :param curves: steps of each curve, from (0, 1) on.
    """
    title = "Bugs not found yet, by programs executed"
    canvas = Canvas(LEFT + WIDTH + 20, TOP + HEIGHT + 40, title)
    decades = max(log10(max(limit, 10)), 1)

    def x(executions: int) -> float:
        return LEFT + WIDTH * log10(max(executions, 1)) / decades

    def y(share: float) -> float:
        return TOP + HEIGHT * (1 - share)

    canvas.text(LEFT, 18, title, size=14)
    for tick in range(5):
        canvas.line((LEFT, y(tick / 4)), (LEFT + WIDTH, y(tick / 4)), "#dddddd")
        canvas.text(
            *(LEFT - 6, y(tick / 4) + 4, f"{25 * tick} %"),
            size=11,
            anchor="end",
        )
    for power in range(int(decades) + 1):
        canvas.text(
            *(x(10**power), TOP + HEIGHT + 18, f"{10**power:,}"),
            size=11,
            anchor="middle",
        )
    for i, (name, steps) in enumerate(curves.items()):
        canvas.rectangle(LEFT + 52 * i, 28, 11, 11, colour(i))
        canvas.text(LEFT + 52 * i + 16, 38, name)
        ends = [*steps[1:], (limit, steps[-1][1])]
        for (start, share), (end, after) in zip(steps, ends, strict=True):
            canvas.line((x(start), y(share)), (x(end), y(share)), colour(i))
            canvas.line((x(end), y(share)), (x(end), y(after)), colour(i))
    return canvas.render()

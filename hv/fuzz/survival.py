"""How long until a bug is found: estimates from trials, some cut short.

A trial that was given up says only that the bug needs longer (it is
*censored*). The Kaplan-Meier estimator (E. L. Kaplan, P. Meier, "Nonparametric
estimation from incomplete observations", J. Amer. Statist. Assoc. 53, 1958)
takes that into account; means of what was found would not.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 400


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: executions until it was found, or until it was given up."""

    executions: int
    found: bool


def survival(trials: Sequence[Trial]) -> list[tuple[int, float]]:
    """Return after how many executions which share has not found it yet.

    :returns: steps (executions, share from there on), beginning with (0, 1).

    >>> survival([Trial(1, True), Trial(2, False), Trial(4, True)])
    [(0, 1.0), (1, 0.6666666666666667), (4, 0.0)]
    """
    steps = [(0, 1.0)]
    left = 1.0
    at_risk = len(trials)
    for time in sorted({trial.executions for trial in trials}):
        now = [trial for trial in trials if trial.executions == time]
        found = sum(trial.found for trial in now)
        if found:
            left *= 1 - found / at_risk
            steps.append((time, left))
        at_risk -= len(now)
    return steps


def median(trials: Sequence[Trial]) -> int | None:
    """Return executions after which half has found it; None: not reached.

    >>> median([Trial(3, True), Trial(9, True), Trial(9, False)])
    9
    """
    half = (time for time, left in survival(trials) if left <= 0.5)
    return next(half, None)


def interval(
    trials: Sequence[Trial], *, level: float = 0.95, seed: int = 0
) -> tuple[int, int | None] | None:
    """Return a confidence interval of the median, by the bootstrap.

    :param level: the share of resamples whose median is inside.
    :returns: None if no trial found it; an end that was not reached is None.

    >>> interval([Trial(n, True) for n in (5, 6, 6, 7, 8, 8, 9)])
    (6, 8)
    """
    if not any(trial.found for trial in trials):
        return None
    chance = random.Random(seed)  # noqa: S311 -- the same figures every time
    medians = sorted(
        (
            median(chance.choices(trials, k=len(trials)))
            for _ in range(RESAMPLES)
        ),
        key=lambda m: float("inf") if m is None else m,
    )
    tail = round((1 - level) / 2 * RESAMPLES)
    low, high = medians[tail], medians[-1 - tail]
    return (low, high) if low is not None else None

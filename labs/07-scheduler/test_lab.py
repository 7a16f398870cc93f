"""Lab 7: who runs, for how long, and who pays.

The oracles are not the scheduler's own books: what is due to whom is computed
by hv.spec.sched, and who was on a hart is read from the trace of the switches.
All times are in ticks of `time`, ten cycles each.
"""

import random
from fractions import Fraction

from hv.labs.crowd import (
    CALLER,
    HOG,
    NAPPER,
    PAIR,
    PERIOD,
    SLICE,
    THIEF,
    TICK,
    WAKER,
    Crowd,
)
from hv.labs.points import fail, points
from hv.spec.sched import Claim, demand, shares
from hv.vm import VM

LONG = 100 * PERIOD
EXIT = 200  # ticks: more than an exit with a switch takes here
SWITCH_COST, EXIT_COST = 150, 1200  # ticks, as edf_admit.c has them in cycles
OVERHEAD = 3 * SWITCH_COST + EXIT_COST
EDF_LONG = 300_000
ENDLESS = 0x7FFFFFFF


def between(got: int, least: int, most: int, what: str, *more: str) -> None:
    """Fail unless a number of ticks is in a range."""
    if not least <= got <= most:
        right = f"{least} to {most}"
        if most == ENDLESS:
            right = f"at least {least}"
        elif least <= 1:
            right = f"at most {most}"
        fail(
            what,
            f"  expected  {right} ticks",
            f"  got       {got} ticks",
            *more,
        )


def shared_out(
    crowd: Crowd, claims: dict[VM, Claim], percent: int, what: str
) -> None:
    """Run, and compare what each VM got with what is due to it."""
    crowd.run(LONG)
    harts = len(crowd.host.harts)
    due = shares({vm.number: c for vm, c in claims.items()}, harts)
    lines, good = [], True
    for vm, claim in claims.items():
        got, right = 100 * crowd.got(vm, LONG) / LONG, 100 * due[vm.number]
        good = good and abs(got - right) < percent
        cap = f", cap {claim.cap}" if claim.cap else ""
        lines.append(
            f"  {vm.name} (weight {claim.weight}{cap}): expected "
            f"{float(right):5.1f}, got {got:5.1f}"
        )
    if not good:
        fail(f"{what}: percent of a hart, over {LONG} ticks", *lines)


def hogs(crowd: Crowd, claims: list[Claim]) -> dict[VM, Claim]:
    """Add VMs that only compute, of one vCPU or two."""
    return {
        crowd.add(
            PAIR if claim.vcpus == 2 else HOG,
            vcpus=claim.vcpus,
            weight=claim.weight,
            cap=claim.cap,
        ): claim
        for claim in claims
    }


@points(10, "credit: shares by weight")
def test_weights() -> None:
    for weights in ((256, 512, 1024), (100, 65_535)):
        with Crowd("credit") as crowd:
            vms = hogs(crowd, [Claim(weight=w, vcpus=1) for w in weights])
            shared_out(crowd, vms, 1, "on one hart")


@points(5, "credit: what one cannot use, the others get")
def test_weights_harts() -> None:
    with Crowd("credit", 2) as crowd:
        claims = [Claim(weight=w, vcpus=1) for w in (4096, 256, 768)]
        shared_out(crowd, hogs(crowd, claims), 3, "on two harts")


@points(5, "credit: any weights and caps")
def test_weights_random(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    for harts in (1, 2, 1):
        claims = [
            Claim(
                weight=draw.choice((100, 256, 700, 1024, 5000)),
                vcpus=harts,
                cap=draw.choice((0, 0, 0, 20, 45)) if harts == 1 else 0,
            )
            for _ in range(draw.randrange(2, 6))
        ]
        with Crowd("credit", harts) as crowd:
            vms = hogs(crowd, claims)
            shared_out(crowd, vms, 3, f"on {harts} harts, seed {seed}")


def by_weight() -> None:
    """Weights mean something, or the rest says nothing."""
    with Crowd("credit") as crowd:
        claims = [Claim(weight=w, vcpus=1) for w in (256, 768)]
        shared_out(crowd, hogs(crowd, claims), 4, "first of all, two alone")


def wait_beside(weight: int, nap: int, work: int) -> int:
    """Return how long a sleeper waits at most, three times of four.

    :param weight: of the other, who computes for long, and has credit left.
    """
    with Crowd("credit") as crowd:
        crowd.add(NAPPER, (nap, work // 2 * TICK), weight=weight)
        vm = crowd.add(WAKER, (7700, 1000))
        crowd.run(80 * PERIOD)
        waits = sorted(crowd.waits(vm)[1:])
        between(len(waits), 95, 110, "how often one that wakes up every 7700 "
                f"ticks ran, in {80 * PERIOD}")  # fmt: skip
        return waits[len(waits) * 3 // 4]


@points(10, "boost: who slept, and has credit, answers at once")
def test_boost() -> None:
    by_weight()
    between(
        wait_beside(2048, 1900, 7000), 0, EXIT,
        "one that mostly sleeps, beside one that mostly computes, and has "
        "credit, too: how long it is from its timer to its first "
        "instruction, three times of four",
    )  # fmt: skip


@points(5, "boost: a slice's worth in each period, and no more")
def test_boost_bounded() -> None:
    by_weight()
    between(
        wait_beside(1024, 2900, 7000), 0, EXIT,
        "one that has slept, too, and now computes for 7000 ticks, kept one "
        "that just woke waiting, three times of four",
    )  # fmt: skip


@points(5, "cap: kept in every period")
def test_cap() -> None:
    with Crowd("rr") as crowd:
        capped = crowd.add(HOG, cap=25)
        lone = crowd.add(HOG)
        crowd.run(20 * PERIOD + EXIT)
        for i, got in enumerate(crowd.used(capped, PERIOD, 20)):
            between(
                got, 23 * PERIOD // 100, PERIOD // 4 + EXIT,
                f"a cap of 25 percent, in period {i} ({PERIOD} ticks)",
            )  # fmt: skip
        between(
            crowd.got(lone, 20 * PERIOD), 14 * PERIOD, 15 * PERIOD + 20 * EXIT,
            "what the other one got, of 20 periods",
        )  # fmt: skip


@points(10, "cap: one purse, several harts")
def test_cap_harts() -> None:
    for cap in (25, 70, 150):
        with Crowd("rr", 2) as crowd:
            vm = crowd.add(PAIR, vcpus=2, cap=cap)
            crowd.run(20 * PERIOD + EXIT)
            for i, got in enumerate(crowd.used(vm, PERIOD, 20)):
                between(
                    got, PERIOD * (cap - 5) // 100, PERIOD * cap // 100 + EXIT,
                    f"a cap of {cap} percent, in period {i}: what was used "
                    "of a period, by a VM on two harts",
                )  # fmt: skip


@points(10, "edf: the budget, no less and no more")
def test_edf_budget() -> None:
    with Crowd("edf") as crowd:
        vms = {
            crowd.add(HOG, budget=budget, period=period): (budget, period)
            for budget, period in ((2000, 10_000), (9000, 30_000))
        }
        crowd.add(HOG)
        crowd.run(EDF_LONG + EXIT)
        for vm, (budget, period) in vms.items():
            for got in crowd.used(vm, period, EDF_LONG // period):
                between(got, budget - EXIT, ENDLESS, "less than the budget")
                between(got, 0, budget + EXIT, "more than the budget")


@points(5, "edf: sleep saves nothing")
def test_edf_sleeper() -> None:
    with Crowd("edf") as crowd:
        sly = crowd.add(NAPPER, (100, 13_000), budget=3000, period=10_000)
        crowd.add(HOG)
        crowd.run(EDF_LONG)
        between(
            crowd.got(sly, EDF_LONG), 1, 3 * EDF_LONG // 10 + 3000,
            f"3000 of each 10000 ticks, in {EDF_LONG}, for one that sleeps "
            "for a moment when its budget is nearly used up",
        )  # fmt: skip
    with Crowd("edf") as crowd:
        late = crowd.add(WAKER, (9000, ENDLESS), budget=3000, period=10_000)
        crowd.add(HOG)
        crowd.run(18_000)
        between(
            crowd.got(late, 18_000), 3000 - EXIT, 3000 + 2 * EXIT,
            "3000 of each 10000 ticks: what one that wakes up shortly before "
            "its period ends, at 9000, gets until 18000",
        )  # fmt: skip


@points(10, "edf: a promise that cannot be kept is not made")
def test_admission(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    for _ in range(10):
        inside: list[tuple[int, int]] = []
        with Crowd("edf") as crowd:
            for _ in range(8):
                period = draw.randrange(10_000, 90_000)
                budget = draw.randrange(100, period)
                wanted = [*inside, (budget, period)]
                need = sum(demand(b, p, OVERHEAD) for b, p in wanted)
                need += Fraction(EXIT_COST, min(p for _, p in wanted))
                slack = Fraction(len(wanted) + 1, 1 << 20)
                admitted = crowd.admits(budget, period)
                said = ", ".join(f"{b} of {p}" for b, p in wanted)
                if admitted and need > 1:
                    fail(f"{said}: that does not fit, and was let in")
                if not admitted and need <= 1 - slack:
                    fail(f"{said}: that fits, and was refused")
                if admitted:
                    inside.append((budget, period))


def fill(draw: random.Random, crowd: Crowd) -> dict[VM, tuple[int, int]]:
    """Let VMs in until there is no room for a small one."""
    admitted: dict[VM, tuple[int, int]] = {}
    refused = 0
    while refused < 6 and len(admitted) < 12:
        period = draw.choice((12_000, 20_000, 30_000, 50_000, 100_000))
        budget = draw.randrange(period // 50, period // 2 >> min(refused, 3))
        if crowd.admits(budget, period):
            admitted[crowd.host.vms[-1]] = budget, period
        else:
            refused += 1
    return admitted


@points(5, "edf: no deadline is missed")
def test_deadlines(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    for harts in (1, 2):
        with Crowd("edf", harts) as crowd:
            for code, registers in (
                (CALLER, ()), (NAPPER, (1, 3)), (HOG, ()),
            ):  # fmt: skip
                crowd.add(code, registers)
            vms = fill(draw, crowd)
            if not vms:
                fail("nobody was let in")
            crowd.run(EDF_LONG + EXIT)
            for vm, (budget, period) in vms.items():
                for i, got in enumerate(
                    crowd.used(vm, period, EDF_LONG // period)
                ):
                    between(
                        got, budget - EXIT, budget + EXIT,
                        f"budget {budget} in period {i} of {period} ticks, "
                        f"among {len(vms)} on {harts} harts, seed {seed}",
                    )  # fmt: skip


def stolen(others: int, before: int, after: int, what: str) -> None:
    """Run a thief beside honest guests of the same weight."""
    with Crowd("credit") as crowd:
        for _ in range(others):
            crowd.add(HOG)
        thief = crowd.add(THIEF, (SLICE, before, after))
        crowd.run(LONG)
        due = LONG // (others + 1)
        between(
            crowd.got(thief, LONG), 1, due + SLICE,
            f"{what} beside {others}, slept at every tick, from {before} "
            f"before it to {after} behind it; {due} of {LONG} are due to it, "
            "and a slice more is no harm",
        )  # fmt: skip


@points(15, "thief: gains a slice at most")
def test_theft() -> None:
    by_weight()
    for others in (1, 3):
        stolen(others, 60, 10, "a thief")


@points(5, "thief: whenever it sleeps")
def test_theft_random(seed: int) -> None:
    by_weight()
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    for _ in range(3):
        stolen(
            draw.randrange(1, 5), draw.randrange(50, 200), draw.randrange(200),
            f"a thief (seed {seed})",
        )  # fmt: skip

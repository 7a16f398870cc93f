"""What became of a host: who ended how, as expected or not, and got what."""

from collections.abc import Iterator
from dataclasses import dataclass

from hv.cli.table import count, table
from hv.domains.host import Domain, Running, pins
from hv.domains.plan import Plan, VmPlan
from hv.facts import State
from hv.top import Usage, sample, usage
from hv.top.sample import Sample
from hv.units import TICKS, format_size


@dataclass(frozen=True, slots=True)
class Row:
    """A VM at the end.

    :param ending: how it ended, in the words of a domain file.
    :param share: part of the time that all VMs had harts for.
    """

    name: str
    state: State
    ending: str
    expected: str
    met: bool
    share: float
    usage: Usage
    exits: int
    insns: int
    cycles: int


@dataclass(frozen=True, slots=True)
class Report:
    """A host at the end.

    :param seconds: of machine time.
    :param hash: of everything: the same file gives the same.
    """

    rows: tuple[Row, ...]
    seconds: float
    policy: str
    harts: int
    guest: float
    hypervisor: float
    idle: float
    hash: int

    @classmethod
    def of(cls, running: Running) -> "Report":
        """Look at a host that has ended."""
        hypervisor = running.hypervisor
        end = sample(hypervisor)
        total = max(end.guest + end.hypervisor + end.idle, 1)
        used = {row.name: row for row in usage(_begin(end), end)}
        ran = sum(vm.running for vm in end.vms.values())
        return cls(
            rows=tuple(
                _row(
                    domain,
                    used[domain.plan.name],
                    end.vms[domain.vm.number].running / max(ran, 1),
                )
                for domain in running.domains
            ),
            seconds=end.seconds,
            policy=str(hypervisor.policy),
            harts=end.harts,
            guest=100 * end.guest / total,
            hypervisor=100 * end.hypervisor / total,
            idle=100 * end.idle / total,
            hash=hypervisor.hash(),
        )

    @property
    def unmet(self) -> list[str]:
        """What did not come out as expected, a sentence each."""
        return [
            f"{row.name} ended {row.ending}, not {row.expected}"
            if row.state.ended
            else f"{row.name} is still {row.state}, and not {row.expected}"
            for row in self.rows
            if not row.met
        ]

    @property
    def text(self) -> str:
        """A table for people."""
        head = (
            *("NAME", "STATE", "END", "EXPECTED", "", "CPU(%)", "SHARE(%)"),
            *("STEAL(%)", "EXITS", "INSNS", "CYCLES"),
        )
        rows = [
            (
                *(row.name, str(row.state), _short(row.ending), row.expected),
                "yes" if row.met else "NO",
                f"{row.usage.cpu:.1f}",
                f"{100 * row.share:.1f}",
                f"{row.usage.steal:.1f}",
                *map(count, (row.exits, row.insns, row.cycles)),
            )
            for row in self.rows
        ]
        lines = table(head, rows, right=range(5, len(head)))
        return (
            f"{lines}\n{self.seconds:.6f} s of machine time, {self.policy}, "
            f"{self.harts} hart{'s' * (self.harts > 1)}: "
            f"guest {self.guest:.1f}%, hypervisor {self.hypervisor:.1f}%, "
            f"idle {self.idle:.1f}%; hash {self.hash:016x}"
        )

    def to_json(self) -> dict[str, object]:
        """Return everything, as what ``json.dumps`` takes."""
        return {
            "seconds": self.seconds,
            "policy": self.policy,
            "harts": self.harts,
            "percent": {
                "guest": self.guest,
                "hypervisor": self.hypervisor,
                "idle": self.idle,
            },
            "hash": f"{self.hash:016x}",
            "met": not self.unmet,
            "vms": [
                {
                    "name": row.name,
                    "state": row.state,
                    "end": row.ending,
                    "expected": row.expected,
                    "met": row.met,
                    "cpu": row.usage.cpu,
                    "share": row.share,
                    "steal": row.usage.steal,
                    "exits": row.exits,
                    "insns": row.insns,
                    "cycles": row.cycles,
                }
                for row in self.rows
            ],
        }


def _begin(end: Sample) -> Sample:
    """Return the moment before anything ran."""
    return Sample(0, end.time_div, end.harts, end.policy, 0, 0, 0, 0, 0, {})


def _row(domain: Domain, used: Usage, share: float) -> Row:
    info = domain.vm.info
    return Row(
        name=domain.plan.name,
        state=info.state,
        ending=domain.ending,
        expected=str(domain.plan.expect),
        met=domain.met,
        share=share,
        usage=used,
        exits=domain.vm.counters["exits"],
        insns=info.insns,
        cycles=info.cycles,
    )


def _short(text: str) -> str:
    return text if len(text) <= 28 else f"{text[:27]}…"


# -- before anything runs ----------------------------------------------------


def _time(ticks: int | None) -> str:
    if ticks is None:
        return "default"
    return f"{ticks * 1000 / TICKS:g} ms"


def plan_text(plan: Plan) -> str:
    """Return a plan as tables: what would be started."""
    host = plan.host
    facts = [
        f"{host.harts} hart{'s' * (host.harts > 1)}",
        f"{format_size(plan.ram)} of memory",
        f"policy {host.policy}",
        f"slice {_time(host.slice)}",
        f"engine {host.engine}",
        f"profile {host.profile}",
        f"admission {host.admission}",
        f"interleaving {host.interleave or 'in order'}",
    ]
    if host.run_for is not None:
        facts.append(f"for {host.run_for:g} s")
    if host.max_insns:
        facts.append(f"for {count(host.max_insns)} instructions")
    head = ("NAME", "IMAGE", "STYLE", "MEMORY", "VCPUS", "SCHEDULE", "EXPECTED")
    rows = [
        (
            *(vm.name, vm.image, str(plan.boots[vm.name].style)),
            *(format_size(vm.memory), str(vm.vcpus)),
            ", ".join(_schedule(vm)) or "default",
            str(vm.expect),
        )
        for vm in plan.vms
    ]
    lines = [", ".join(facts), table(head, rows, right=(3, 4))]
    if plan.slots:
        turns = (f"{s.vm or 'nobody'} {_time(s.ticks)}" for s in plan.slots)
        lines.append("slots: " + ", ".join(turns))
    return "\n".join(lines)


def _schedule(vm: VmPlan) -> Iterator[str]:
    if vm.weight is not None:
        yield f"weight {vm.weight}"
    if vm.cap:
        yield f"cap {vm.cap}%"
    if vm.budget is not None:
        yield f"{_time(vm.budget)} in {_time(vm.period)}"
    if vm.gang:
        yield "gang"
    if vm.affinity is not None:
        yield "harts " + " ".join(
            ",".join(map(str, harts)) for harts in pins(vm)
        )

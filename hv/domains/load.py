"""Read a domain file, and say what is wrong with it: where, and what is right.

All mistakes are reported at once, each with its line::

    host.toml:12: weight: 0 is out of range; 1 to 65535
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hv import images, paths
from hv.domains.checks import Wrong, near
from hv.domains.keys import TABLES, required
from hv.domains.lines import Path as Where
from hv.domains.lines import lines
from hv.domains.plan import Boot, HostPlan, Plan, SlotPlan, VmPlan
from hv.errors import ImageError, UsageError
from hv.facts import Policy, Style

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

_AT = re.compile(r"^(.*) \(at line (\d+), column (\d+)\)$")


class FileError(UsageError):
    """Say what is wrong in a domain file, a line for each mistake."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake.

    :param line: where it is; 0 is the file as a whole.
    """

    line: int
    text: str


def load(path: str | Path) -> Plan:
    """Return what a domain file says.

    :raises FileError: if it cannot be read or something in it is wrong.
    """
    path = find(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        names = ", ".join(sorted(file.stem for file in EXAMPLES.glob("*.toml")))
        raise FileError(
            f"{path}: no such file; files that come with hv: {names}"
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise FileError(f"{path}: {why}") from None
    return loads(text, path)


def is_file(name: str) -> bool:
    """Say whether a name means a domain file, not an image."""
    return Path(name).suffix == ".toml" or find(name).suffix == ".toml"


def find(path: str | Path) -> Path:
    """Return a domain file by path, or one that comes with hv by name."""
    shipped = EXAMPLES / f"{path}.toml"
    word = Path(path).name == str(path) and not Path(path).suffix
    return shipped if word and paths.is_file(shipped) else Path(path)


def loads(text: str, path: Path = Path("host.toml")) -> Plan:
    """Return what the text of a domain file says.

    :param path: what to call it, and where relative paths begin.
    :raises FileError: if something in it is wrong.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileError(_syntax(path, text, str(error))) from None
    except RecursionError:
        raise FileError(f"{path}: it is nested too deeply") from None
    reader = _Reader(data, lines(text), path)
    plan = reader.plan()
    if reader.mistakes:
        reader.mistakes.sort(key=lambda mistake: mistake.line)
        raise FileError(
            "\n".join(
                f"{path}:{mistake.line}: {mistake.text}"
                for mistake in dict.fromkeys(reader.mistakes)
            )
        )
    return plan


def _syntax(path: Path, text: str, error: str) -> str:
    """Put tomllib's message into our form."""
    if found := _AT.match(error):
        return f"{path}:{found[2]}: {found[1]}, at column {found[3]}"
    last = text.rstrip("\n").count("\n") + 1
    what = error.removesuffix(" (at end of document)")
    return f"{path}:{last}: {what}, at the end of the file"


class _Reader:
    """A file under examination. What is wrong is noted, and left out."""

    def __init__(
        self, data: dict[str, object], where: dict[Where, int], path: Path
    ) -> None:
        self.data = data
        self.where = where
        self.folder = path.parent
        self.file = str(path)
        self.mistakes: list[Mistake] = []
        self.bad: set[Where] = set()  # values: what depends on them is unknown

    def wrong(self, at: Where, text: str) -> None:
        """Note a mistake; the last name in `at` is what the person reads."""
        line = self.where.get(at, 1 if not at else 0)
        while not line:
            at = at[:-1]
            line = self.where.get(at, 1 if not at else 0)
        self.mistakes.append(Mistake(line, text))

    def wrong_value(self, at: Where, text: str) -> None:
        named = [part for part in at if isinstance(part, str)]
        self.bad.add(at)
        self.wrong(at, f"{named[-1]}: {text}")

    def plan(self) -> Plan:
        for key in self.data.keys() - TABLES.keys():
            hint = near(key, TABLES)
            self.wrong((key,), f"{key}: there is no such table; {hint}")
        hosts = self.rows("host")
        vms = [(at, VmPlan(**row)) for at, row in self.rows("vm")]
        slots = [(at, SlotPlan(**row)) for at, row in self.rows("slot")]
        plan = Plan(
            host=HostPlan(**hosts[0][1]) if hosts else HostPlan(),
            vms=tuple(vm for _, vm in vms),
            slots=tuple(slot for _, slot in slots),
            file=self.file,
        )
        if "vm" not in self.data:
            self.wrong((), "there is no VM; begin one with [[vm]]")
        self.names(vms)
        for at, vm in vms:
            self.vm(at, vm, plan)
        self.slots(slots, plan)
        return plan

    # -- tables and their keys -----------------------------------------------

    def rows(self, table: str) -> list[tuple[Where, dict[str, Any]]]:
        """Read a table, or each of an array of tables."""
        value = self.data.get(table, [])
        found: list[tuple[Where, object]] = [((table,), value)]
        if table != "host":
            if not isinstance(value, list):
                self.wrong(
                    (table,),
                    f"{table}: there can be several; "
                    f"begin each with [[{table}]]",
                )
                return []
            found = [((table, i), row) for i, row in enumerate(value)]
        elif table not in self.data:
            return []
        rows = []
        for at, row in found:
            if not isinstance(row, dict):
                self.wrong(at, f"{table}: {row!r} is no table; write [{table}]")
            elif (read := self.table(at, row)) is not None:
                rows.append((at, read))
        return rows

    def table(self, at: Where, row: dict[str, object]) -> dict[str, Any] | None:
        """Read one table; None if something that must be there is not."""
        kind, known = TABLES[str(at[0])]
        values: dict[str, Any] = {}
        for key, value in row.items():
            if key not in known:
                hint = near(key, known)
                self.wrong((*at, key), f"{key}: no such key; {hint}")
                continue
            try:
                values[key] = known[key].check(value)
            except Wrong as error:
                self.wrong_value((*at, key), str(error))
        for key in sorted(required(kind) - row.keys()):
            example = known[key].example
            self.wrong(
                at, f"{key}: it is missing; {key} = {example} for example"
            )
        return values if required(kind) <= values.keys() else None

    # -- what must fit together ----------------------------------------------

    def names(self, vms: list[tuple[Where, VmPlan]]) -> None:
        first: dict[str, int] = {}
        for at, vm in vms:
            line = self.where[(*at, "name")]
            if vm.name in first:
                self.wrong_value(
                    (*at, "name"),
                    f"{vm.name!r} is taken, in line {first[vm.name]}; "
                    "each VM has a name of its own",
                )
            first.setdefault(vm.name, line)

    def vm(self, at: Where, vm: VmPlan, plan: Plan) -> None:
        self.image(at, vm, plan)
        if vm.min_memory > vm.memory:
            self.wrong_value(
                (*at, "min_memory"),
                f"{vm.min_memory} bytes are more than all its memory, "
                f"{vm.memory}",
            )
        if (vm.budget is None) != (vm.period is None):
            one, other = ("budget", "period")
            if vm.budget is None:
                one, other = other, one
            self.wrong_value(
                (*at, one),
                f'it goes with {other}; budget = "2ms" and '
                'period = "10ms" for example',
            )
        elif vm.budget and vm.period and vm.budget > vm.period:
            self.wrong_value(
                (*at, "budget"),
                f"{vm.budget} ticks do not fit into a period of {vm.period}",
            )
        if vm.affinity is not None:
            self.affinity((*at, "affinity"), vm, plan.host.harts)
        host = plan.host
        endless = vm.expect.state is None and not host.max_insns
        if endless and host.run_for is None:
            self.wrong_value(
                (*at, "expect"),
                '"running" needs an end of the run; run_for = "500ms" in '
                "[host] for example",
            )

    def affinity(self, at: Where, vm: VmPlan, harts: int) -> None:
        rows = vm.affinity or ()
        one_each = isinstance(rows[0], tuple) and len(rows) != vm.vcpus
        if one_each and (*at[:-1], "vcpus") not in self.bad:
            self.wrong_value(
                at,
                f"{len(rows)} lists for {vm.vcpus} vCPUs; one for each, or "
                "one list for all",
            )
        for i, row in enumerate(rows):
            for j, hart in enumerate(row if isinstance(row, tuple) else (row,)):
                if not 0 <= hart < harts and ("host", "harts") not in self.bad:
                    place = (i, j) if isinstance(row, tuple) else (i,)
                    self.wrong_value(
                        (*at, *place),
                        f"there is no hart {hart}; 0 to {harts - 1}",
                    )

    def image(self, at: Where, vm: VmPlan, plan: Plan) -> None:
        """Find the files of a VM, and see whether its style fits."""
        try:
            path, style = self.find(vm.image)
        except ImageError as error:
            self.wrong_value((*at, "image"), str(error))
            return
        shipped = images.available().get(vm.image)
        can = [s for s in shipped.styles if s != "bare"] if shipped else []
        if shipped and not can:
            self.wrong_value(
                (*at, "image"), f"{vm.image} runs on the bare machine only"
            )
            return
        if vm.style is not None and can and vm.style not in can:
            self.wrong_value(
                (*at, "style"),
                f"{vm.image} does not run as {vm.style}; {', '.join(can)}",
            )
        initrd = self.folder / vm.initrd if vm.initrd is not None else None
        if initrd is not None and not paths.is_file(initrd):
            self.wrong_value((*at, "initrd"), f"{initrd}: no such file")
        plan.boots[vm.name] = Boot(
            path, vm.style or Style(style), initrd, self.where[at]
        )

    def find(self, name: str) -> tuple[Path, str]:
        path = Path(name)
        if path.name == name and not path.suffix:
            image = images.find(name)
            return image.path, image.style
        path = self.folder / path
        if not paths.is_file(path):
            raise ImageError(f"{path}: no such file; `hv images` lists names")
        return path, images.default_style(name)

    def slots(self, slots: list[tuple[Where, SlotPlan]], plan: Plan) -> None:
        policy = plan.host.policy
        if ("host", "policy") in self.bad:
            return
        if slots and policy is not Policy.SLOTS:
            self.wrong(
                slots[0][0],
                f'slots are for policy = "slots" in [host], not {policy}',
            )
        if policy is Policy.SLOTS and "slot" not in self.data:
            self.wrong_value(
                ("host", "policy"),
                "slots needs a table of them; begin a row with [[slot]]",
            )
        rows = self.data.get("vm")
        names = [
            str(row["name"])
            for row in (rows if isinstance(rows, list) else [])
            if isinstance(row, dict) and "name" in row
        ]
        for at, slot in slots:
            if slot.vm is not None and slot.vm not in names:
                self.wrong_value(
                    (*at, "vm"), f"no VM {slot.vm!r}; {near(slot.vm, names)}"
                )
        if len(slots) > 64:
            self.wrong(slots[64][0], "a table has at most 64 slots")

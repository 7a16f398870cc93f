"""A Sphinx extension: the fields of saved VMs, and what copies of VMs cost.

The tables of the format come from the lists that the C core is made of; the
figures of forking and of saving while a guest runs come from runs.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sphinx.application import Sphinx

import hv
from hv.images import find
from hv.incremental import save_running

HERE = Path(__file__).resolve().parent
OUT = HERE / "_generated"
LISTS = HERE.parent / "csrc" / "api"
RECORDS = {"vm": "VM", "vcpu": "VCPU", "uart": "UART", "plic": "PLIC"}
OF_HOSTS = {"host": "HOST", "hart": "HART", "place": "PLAC", "turn": "TURN"}
_FIELD = re.compile(
    r'^(FIELD|ARRAY)\((\w+), (\w+),(.*?),\s*"([^"]*)"\)',
    re.MULTILINE | re.DOTALL,
)


def rows(record: str) -> Iterator[str]:
    """Yield a row of the table for each field of a record."""
    text = (LISTS / f"image_{record}.def").read_text(encoding="utf-8")
    for kind, ctype, name, rest, meaning in _FIELD.findall(text):
        count, rule = "", " ".join(rest.split())
        if kind == "ARRAY":
            count, _, rule = rule.partition(", ")
            count = f"[{count}]"
        rule = rule.replace("|", "\\|")
        rule = "anything" if rule == "true" else f"`{rule}`"
        yield f"| `{name}` | {ctype}{count} | {rule} | {meaning} |"


def fields(records: Mapping[str, str]) -> str:
    """Return the tables of some records."""
    parts = []
    for record, tag in records.items():
        head = f"Section `{tag}`:\n\n| field | type | holds | meaning |\n"
        parts.append(head + "|---|---|---|---|\n" + "\n".join(rows(record)))
    return "\n\n".join(parts) + "\n"


def forks() -> str:
    """Return what a hundred forks of a booted kernel take, by style."""
    lines = [
        "| style | touched by the parent | frames more for 100 forks |",
        "|---|--:|--:|",
    ]
    for style in ("emulate", "pv", "assist", "nested"):
        kernel = "kernel-pv" if style == "pv" else "kernel-native"
        with hv.Hypervisor(ram="128MiB", admission="overcommit") as host:
            vm = host.create(style=style, min_mem="64KiB", shadow_frames=16)
            vm.load(find(kernel).path, append="quiet run=sieve,forks,ping")
            vm.boot()
            host.run(500_000)
            vm.to_bytes()  # without its shadows, which the fork drops, too
            before = host.info.frames_free
            for _ in range(100):
                host.fork(vm)
            host.audit()
            more = before - host.info.frames_free
            lines.append(f"| `{style}` | {vm.info.frames} | {more} |")
    return "\n".join(lines) + "\n"


def incremental() -> str:
    """Return the rounds in which a kernel is saved as it runs, by speed."""
    lines = [
        "| instructions per page | pages of each round |",
        "|--:|---|",
    ]
    for speed in (200, 1000, 3000):
        with hv.Hypervisor(ram="64MiB") as host:
            vm = host.create(style="pv")
            vm.load(find("kernel-pv").path, append="quiet run=sieve,forks,ping")
            vm.boot()
            host.run(600_000)
            rounds = save_running(vm, Run(host, speed)).rounds
            lines.append(f"| {speed} | {', '.join(map(str, rounds))} |")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Run:
    """Let a host run while pages are sent, at this many instructions each."""

    host: hv.Hypervisor
    speed: int

    def __call__(self, pages: int) -> None:
        """Run it."""
        self.host.run(self.speed * pages)


def generate(_: Sphinx) -> None:
    """Make the tables before the chapter is read."""
    OUT.mkdir(exist_ok=True)
    for name, records in (("image", RECORDS), ("host", OF_HOSTS)):
        place = OUT / f"{name}-fields.md"
        place.write_text(fields(records), encoding="utf-8")
    (OUT / "forks.md").write_text(forks(), encoding="utf-8")
    (OUT / "incremental.md").write_text(incremental(), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    """Tell Sphinx."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}

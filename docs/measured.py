"""A Sphinx extension: figures of the book that come out of a run.

Before the book is read, it writes tables and plots into ``_generated/``, which
chapters include, and gives numbers to ``{{ name }}`` in their text:

- the benchmarks: from the last ``make bench`` (data/bench.json) and its
  history, or from a quick run now if there is none;
- the fast engine's variants: built and timed now; kept in build/ until a
  source changes.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from sphinx.application import Sphinx
from sphinx.config import Config

from docs import engine_variants as engine
from hv import bench
from hv.bench import costs, history, plot, show
from hv.bench.report import Report, from_json
from hv.bench.show import Rows
from tests.equivalence.core import CSRC

HERE = Path(__file__).resolve().parent
OUT = HERE / "_generated"
KEPT = HERE.parent / "build" / "engine-variants.json"
# Lines of the history's plot.
PLOTTED = ["mix-unicorn", "mix-qemu", "copy-qemu", "chase-qemu", "trap-qemu"]
PLOTTED += ["fault-emulate"]


class Run(msgspec.Struct):
    """What the variants came to, and of which sources."""

    sources: str
    timed: list[tuple[str, int, dict[str, float], dict[str, float]]]
    counted: list[tuple[str, int, int, int]]
    titles: dict[str, str]


def write(name: str, text: str) -> None:
    """Write a file that chapters include, if it has changed."""
    path = OUT / name
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


# -- the benchmarks ---------------------------------------------------------


def benchmarks() -> dict[str, object]:
    """Write the benchmarks' tables and plots; return their numbers."""
    path = HERE.parent / history.LAST
    report = (
        from_json(path.read_bytes())
        if path.exists()
        else bench.measure(quick=True)
    )
    aimed, others = show.figures(report)
    write("bench-aims.md", show.markdown(aimed) + "\n")
    write("bench-others.md", show.markdown(others) + "\n")
    write("bench-speeds.md", show.markdown(show.speeds(report)) + "\n")
    write("bench-counts.md", show.markdown(show.counts(report)) + "\n")
    reasons = [f"- {reason}.\n" for reason in show.reasons(report)]
    write("bench-missed.md", "".join(reasons) or "None is missed.\n")
    write("bench-ratios.svg", plot.plot_report(report))
    entries = history.read(HERE.parent / history.FILE)
    write("bench-history.svg", plot.plot_history(entries, PLOTTED))
    return _facts(report)


def _facts(report: Report) -> dict[str, object]:
    where = report.computer
    skipped = ", ".join(f"{s.machine} ({s.why})" for s in report.skipped)
    aims = [figure for figure in report.figures if figure.aim is not None]
    return {
        "bench_commit": report.commit or "no commit",
        "bench_date": report.date or "today",
        "bench_rounds": report.rounds,
        "bench_clock": where.clock,
        "bench_cpu": f"{where.cpu}, {where.cores} cores",
        "bench_skipped": skipped or "none",
        "bench_aims": len(aims),
        "bench_met": sum(bool(figure.met) for figure in aims),
    }


# -- the fast engine --------------------------------------------------------


def digest() -> str:
    """Return a hash of all that the variants' figures depend on."""
    sha = hashlib.sha256()
    files = [p for p in CSRC.rglob("*") if p.is_file()]
    for path in sorted([*files, engine.RECORDS, Path(engine.__file__)]):
        sha.update(path.read_bytes())
    return sha.hexdigest()


def measured() -> Run:
    """Return what the variants come to, measured now if need be."""
    now = digest()
    if KEPT.exists():
        kept = msgspec.json.decode(KEPT.read_bytes(), type=Run)
        if kept.sources == now:
            return kept
    rows = engine.measure()
    run = Run(
        sources=now,
        timed=[
            (r.variant.name, r.variant.ladder, dict(r.mips), dict(r.ratio))
            for r in rows
        ],
        counted=[
            (c.work, c.insns, c.dispatched, c.decoded) for c in engine.count()
        ],
        titles={r.variant.name: r.variant.title for r in rows},
    )
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_bytes(msgspec.json.encode(run))
    return run


def fast_engine() -> dict[str, object]:
    """Write the tables of the fast engine's chapter; return its numbers."""
    run = measured()
    works = list(engine.WORKS)
    by_name = {name: (mips, ratio) for name, _, mips, ratio in run.timed}
    ladder = sorted((step, name) for name, step, _, _ in run.timed if step)
    order = ["ref", *(name for _, name in ladder), "fast"]
    rungs = [
        (run.titles[n], *(f"{by_name[n][0][w]:,.0f}" for w in works))
        for n in order
    ]
    title = "Million instructions per second, each line with one thing more"
    write("engine-ladder.md", _table(title, ("", *works), rungs))
    rest = [name for name in by_name if name not in order]
    without = [
        (run.titles[n], *(f"{by_name[n][1][w]:.2f}" for w in works))
        for n in rest
    ]
    title = "Time by that of the engine as it is, each with one thing else"
    write("engine-without.md", _table(title, ("", *works), without))
    counted = [
        (w, f"{n:,}", f"{jumps / n:.2f}", f"{decoded:,}")
        for w, n, jumps, decoded in run.counted
    ]
    head = ("", "instructions", "dispatches per instruction", "words decoded")
    title = "Counted: the same on every computer"
    write("engine-counted.md", _table(title, head, counted))
    return _numbers(run, by_name)


def _table(
    title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> str:
    return show.markdown(Rows(title, head, rows)) + "\n"


def _numbers(
    run: Run, by_name: dict[str, tuple[dict[str, float], dict[str, float]]]
) -> dict[str, object]:
    mips = {name: values[0]["mix"] for name, values in by_name.items()}
    counts = {work: rest for work, *rest in run.counted}
    insns, dispatched, decoded = counts["mix"]
    return {
        "fast_over_ref": f"{mips['fast'] / mips['ref']:.1f}",
        "decoded_over_ref": f"{mips['decoded'] / mips['ref']:.1f}",
        "switch_over_decoded": f"{mips['switch'] / mips['decoded']:.2f}",
        "threaded_over_switch": f"{mips['threaded'] / mips['switch']:.2f}",
        "fused_over_threaded": f"{mips['fast'] / mips['threaded']:.2f}",
        "mix_dispatches": f"{dispatched / insns:.2f}",
        "mix_decoded": f"{decoded:,}",
        "mix_insns": f"{insns:,}",
        "mix_reach": f"{by_name['reach'][1]['mix']:.1f}",
        "calls_far": f"{by_name['far'][1]['mix']:.2f}",
        "copy_loops": f"{by_name['loops'][1]['copy']:.1f}",
        "trap_system": f"{by_name['system'][1]['trap']:.1f}",
        "mix_uncounted": f"{by_name['uncounted'][1]['mix']:.2f}",
        "mix_pc": f"{by_name['pc'][1]['mix']:.2f}",
        "fused_count": _fused(),
    }


def _fused() -> int:
    """Return how many sequences have a handler."""
    path = CSRC / "machine" / "fast_fused.def"
    text: str = path.read_text("utf-8")
    return text.count("\nFUSED(")


# -- marks ------------------------------------------------------------------


def resets() -> dict[str, object]:
    """Write the table of what going back to a mark costs."""
    rows = [
        (f"{pages}", f"{costs.reset(pages, 300) / 1000:.1f}")
        for pages in (0, 1, 8, 64, 256)
    ]
    title = "Going back to a mark"
    head = ("pages written since", "microseconds")
    write("resets.md", _table(title, head, rows))
    return {}


def generate(_: Sphinx, config: Config) -> None:
    """Make everything, before a chapter is read."""
    parts: list[Callable[[], dict[str, object]]] = [
        *(benchmarks, fast_engine, resets),
    ]
    for part in parts:
        config.myst_substitutions |= part()


def setup(app: Sphinx) -> dict[str, object]:
    """Tell Sphinx."""
    app.connect("config-inited", generate)
    return {"parallel_read_safe": True}

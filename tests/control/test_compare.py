"""Comparing the ways of virtualizing: what is run, counted, and said."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.parsers import expat

import pytest

import hv
from hv import images, svg
from hv.cli import main
from hv.host import scaled_costs
from hv.workloads import WORKLOADS, ways_of

pytestmark = pytest.mark.images

Shipped = dict[str, images.Image]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def report() -> hv.Report:
    """Two workloads in every way, compared once for all tests."""
    if "kernel-native" not in images.available():
        pytest.skip(f"no guest images: {images.missing()}")
    return hv.compare(workloads=["compute", "churn"], engine="fast")


def elements(text: str) -> dict[str, int]:
    """Parse a picture; count its elements by name."""
    found: dict[str, int] = {}

    def start(name: str, _: object) -> None:
        found[name] = found.get(name, 0) + 1

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.Parse(text, True)  # noqa: FBT003 -- expat's argument
    return found


def test_every_kernel_runs_in_each_of_its_styles(
    report: hv.Report, shipped: Shipped
) -> None:
    kernels = [i for i in shipped.values() if i.kind == "kernel"]
    offered = {(w.image.name, w.style) for k in kernels for w in ways_of(k)}
    for comparison in report.comparisons:
        bare, *others = comparison.runs
        assert (bare.image, bare.style) == ("kernel-native", "bare")
        assert {(run.image, run.style) for run in others} == offered
    assert {style for _, style in offered} <= set(hv.Style)


def test_the_same_work_is_done_everywhere(report: hv.Report) -> None:
    assert report.differences == ()
    report.check()
    for comparison in report.comparisons:
        sums = {
            line
            for run in comparison.runs
            for line in run.output[f"2 {comparison.workload}"]
            if "checksum" in line
        }
        assert len(sums) == 1
        assert comparison.ratio(comparison.bare) == 1.0
        for run in comparison.runs:
            assert run.cycles >= run.insns > 500_000
            assert sum(run.exits.values()) == run.counters.get("exits", 0)
            assert run.refs_per_miss >= 1


def test_the_counts_are_those_of_one_run_alone(report: hv.Report) -> None:
    run = report.comparisons[0].runs[1]
    with hv.Hypervisor() as hypervisor:
        vm = hypervisor.create(style=run.style, mem="16MiB")
        vm.load(images.find(run.image), append="quiet run=compute scale=1")
        vm.boot()
        vm.run_until("halt")
        assert (vm.info.insns, vm.info.cycles) == (run.insns, run.cycles)
        assert dict(vm.counters) == dict(run.counters)


def test_a_comparison_is_a_pure_function(report: hv.Report) -> None:
    again = hv.compare(workloads=["compute"], engine="ref")
    assert again.comparisons == report.comparisons[:1]


def test_costs_change_cycles_and_not_what_is_done() -> None:
    def of(factor: float) -> hv.Run:
        costs = scaled_costs(factor)
        report = hv.compare(
            styles=["pv"], workloads=["churn"], engine="fast", costs=costs
        )
        return report.comparisons[0].runs[1]

    half, whole = of(0.5), of(1)
    assert half.cycles < whole.cycles
    assert half.output == whole.output


def test_the_text_has_a_row_for_each_way(report: hv.Report) -> None:
    for comparison in report.comparisons:
        title, head, *rest = comparison.text.splitlines()
        assert title.startswith(f"{comparison.workload}: ")
        assert head.split()[:3] == ["insns", "cycles", "ratio"]
        rows = [line.split() for line in rest[: len(comparison.runs)]]
        for run, row in zip(comparison.runs, rows, strict=True):
            assert row[:2] == [run.way, f"{run.insns:,}"]
            assert row[3] == f"{comparison.ratio(run):.2f}"


def test_the_chart_has_a_bar_for_each_run(report: hv.Report) -> None:
    found = elements(report._repr_svg_())
    runs = sum(len(c.runs) for c in report.comparisons)
    legend, paper = len(report.comparisons[0].runs), 1
    assert found["rect"] == runs + legend + paper
    assert report.svg == report._repr_svg_()


def test_what_a_chart_says_is_escaped() -> None:
    text = svg.bars("<&'\">", ["<g>"], [svg.Series("<s>", [2.0])], axis="&")
    assert elements(text)["svg"] == 1


@pytest.mark.parametrize("values", [[], [0.0], [None], [1e9], [1e-9]])
def test_a_chart_of_anything(values: list[float | None]) -> None:
    groups = [str(i) for i in range(len(values))]
    assert elements(svg.bars("t", groups, [svg.Series("s", values)]))["svg"]


# -- differences -------------------------------------------------------------

Change = Callable[[hv.Run], hv.Run]


def damaged(report: hv.Report, change: Change) -> hv.Report:
    """The same report, but for the last run of the last workload."""
    *others, last = report.comparisons
    *runs, run = last.runs
    return hv.Report((*others, replace(last, runs=(*runs, change(run)))))


DAMAGES: dict[str, tuple[Change, str]] = {
    "another line": (
        lambda run: replace(run, output={**run.output, "2 churn": ("hi",)}),
        "[2 churn] printed 'hi', on the bare machine '",
    ),
    "a line less": (
        lambda run: replace(run, output={**run.output, "1 init": ()}),
        "[1 init] printed no more, on the bare machine '",
    ),
    "a process more": (
        lambda run: replace(run, output={**run.output, "3 spy": ("hi",)}),
        "[3 spy] printed 'hi', on the bare machine no more",
    ),
    "killed": (
        lambda run: replace(run, ending="vm1 was killed: why not"),
        "vm1 was killed: why not",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_differs_is_said(report: hv.Report, name: str) -> None:
    change, message = DAMAGES[name]
    bad = damaged(report, change)
    run = bad.comparisons[-1].runs[-1]
    (text,) = bad.differences
    assert text.startswith(f"churn in {run.way}: {message}")
    with pytest.raises(hv.HvError, match="churn in"):
        bad.check()


# -- the command -------------------------------------------------------------


def test_the_command_prints_tables_and_draws(
    report: hv.Report, tmp_path: Path, capsys: Capture
) -> None:
    plot = tmp_path / "plot.svg"
    words = ["compare", "--workload", "compute,churn", "--engine", "fast"]
    assert main([*words, "--plot", str(plot)]) == 0
    out, err = capsys.readouterr()
    assert out == report.text + "\n\n"
    assert err == ""
    assert plot.read_text() == report.svg


def test_json_is_one_object(report: hv.Report, capsys: Capture) -> None:
    words = ["compare", "--workload", "compute,churn", "--engine", "fast"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["engine"] == "fast"
    assert said["differences"] == []
    assert said["workloads"] == report.to_json()["workloads"]
    for workload in said["workloads"]:
        for run in workload["runs"][1:]:
            assert sum(run["exits"].values()) == run["counters"]["exits"]


def test_some_images_and_styles(capsys: Capture) -> None:
    words = ["--engine", "fast", "--workload", "compute", "--json"]
    for names, styles in (
        (["kernel-pv"], ["bare", "pv"]),
        (["--styles", "emulate"], ["bare", "emulate"]),
        (["--styles", "bare"], ["bare"]),
        (["kernel-native", "--styles", "bare,emulate"], ["bare", "emulate"]),
    ):
        assert main(["compare", *names, *words]) == 0
        (said,) = json.loads(capsys.readouterr().out)["workloads"]
        ran = [run["style"] for run in said["runs"]]
        assert ran[0] == "bare"
        assert set(styles) <= set(ran)
        if "--styles" in names:
            assert ran == styles


def test_a_difference_is_1_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A kernel that has no such program is not the same as one that has."""
    monkeypatch.setitem(WORKLOADS, "nonsense", "what no kernel has")
    words = ["compare", "--styles", "pv", "--workload", "nonsense"]
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out.startswith("nonsense: ")
    assert err.startswith("hv: nonsense in bare: the machine failed")
    assert err.count("\n") == 1


WRONG = {
    "image": (["kernel-natve"], "did you mean 'kernel-native'?"),
    "no kernel": (["hostile-siege"], "no kernel with workloads"),
    "style": (["--styles", "emulat"], "did you mean 'emulate'?"),
    "workload": (["--workload", "chrun"], "did you mean 'churn'?"),
    "nothing": (["--workload", ","], "there are: compute"),
    "not its style": (["kernel-pv", "--styles", "emulate"], "kernel-pv"),
    "engine": (["--engine", "warp"], "'fast'"),
    "scale": (["--scale", "0"], "0"),
    "costs": (["--costs", "-1"], "-1"),
    "plot": (["--plot", "x.png"], "x.png.svg"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_2_and_one_line(name: str, capsys: Capture) -> None:
    args, message = WRONG[name]
    assert main(["compare", *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.startswith("hv: ")
    assert err.count("\n") == 1


def test_a_plot_that_cannot_be_written_is_said_before_the_work(
    capsys: Capture,
) -> None:
    assert main(["compare", "--plot", "/nowhere/x.svg"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "/nowhere/x.svg" in err

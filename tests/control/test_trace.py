"""Traces: the file obeys its format's rules, and says what the books say."""

import json
import re
from collections import defaultdict
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import hv
from hv import trace
from hv.trace.timeline import STATES
from tests.control import programs as p
from tests.control import smp
from tests.control.elfs import words
from tests.machine.asm import ILLEGAL, T0, csrw, li, program

RAM = 0x80000000
STVEC = 0x105


def talker() -> list[int]:
    """Talk, fall into a trap of one's own, and power off in its handler."""
    talk = [*p.say("hello"), *p.count(2000), *p.say("bye")]
    handler = RAM + 4 * (3 + len(talk) + 1)
    return program(li(T0, handler), csrw(STVEC, T0), talk, ILLEGAL, p.off())


TALKER = talker()

Programs = dict[str, tuple[list[int], dict[str, Any]]]
MIX: Programs = {
    "talker": (TALKER, {}),
    "spin": (p.SPIN, {"cap": 40}),
    "pair": (smp.pings(4), {"vcpus": 2}),
}


def recorded(
    programs: Programs = MIX,
    kinds: frozenset[hv.EventKind] | None = None,
    **options: object,
) -> tuple[trace.Recording, hv.Hypervisor]:
    """Run some programs for a while."""
    settings: dict[str, Any] = {
        "harts": 2,
        "slice": 300,
        "period": 2000,
    } | options
    hypervisor = hv.Hypervisor(**settings)
    for name, (code, vm_options) in programs.items():
        vm = hypervisor.create(name=name, mem="1MiB", **vm_options)
        vm.mem.write(RAM, words(code))
        vm.boot(RAM)
    with trace.record(hypervisor, kinds) as recorder:
        hypervisor.run(150_000)
    return recorder.recording, hypervisor


# -- the Chrome format -------------------------------------------------------


def check_chrome(text: str) -> dict[str, list[dict[str, Any]]]:
    """Check a file against the rules of the format; return events by phase."""
    events = json.loads(text)["traceEvents"]
    phases: dict[str, list[dict[str, Any]]] = defaultdict(list)
    stacks: dict[tuple[int, int], list[str]] = defaultdict(list)
    last: dict[tuple[int, int], float] = defaultdict(float)
    named: dict[str, set[Any]] = {"process_name": set(), "thread_name": set()}
    flows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        phase, track = event["ph"], (event["pid"], event["tid"])
        phases[phase].append(event)
        if phase == "M":
            key = track if event["name"].startswith("thread") else event["pid"]
            named.setdefault(event["name"], set()).add(key)
            continue
        assert event["ts"] >= last[track], "time goes back on a track"
        last[track] = event["ts"]
        assert event["pid"] in named["process_name"]
        assert track in named["thread_name"]
        if phase == "B":
            stacks[track].append(event["name"])
        elif phase == "E":
            assert stacks[track].pop() == event["name"], "slices overlap"
        elif phase in ("s", "f"):
            assert stacks[track], "an arrow that begins or ends nowhere"
            flows[event["id"]].append(event)
        elif phase == "C":
            assert all(isinstance(v, int) for v in event["args"].values())
        else:
            assert (phase, event["s"]) == ("i", "t")
    assert not any(stacks.values()), "a slice does not end"
    for ends in flows.values():
        assert sorted(end["ph"] for end in ends) == ["f", "s"]
        start, finish = sorted(ends, key=lambda end: end["ph"] == "f")
        assert start["ts"] <= finish["ts"]
        assert start["name"] == finish["name"]
        assert finish["bp"] == "e"
    tids = [tid for _, tid in named["thread_name"]]
    assert len(set(tids)) == len(tids)
    return phases


@pytest.mark.parametrize("harts", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 5])
def test_the_file_obeys_its_format(harts: int, seed: int) -> None:
    recording, hypervisor = recorded(harts=harts, interleave=seed)
    phases = check_chrome(trace.to_chrome(recording))
    assert set(phases) >= {"M", "B", "E", "C", "i"}
    if harts > 1:
        assert {flow["name"] for flow in phases["s"]} == {"kick", "ipi"}
    names = {e["args"].get("name") for e in phases["M"]}
    assert names >= {"harts", "hart 0", "VM talker", "VM pair", "vCPU 1"}
    hypervisor.close()


def test_a_file_of_a_part_obeys_its_format() -> None:
    with recorded()[1] as hypervisor:
        with trace.record(hypervisor) as recorder:
            hypervisor.run(20_000)
        check_chrome(trace.to_chrome(recorder.recording))
        for kinds in (["run", "stop"], ["exit", "enter"], ["kick", "kicked"]):
            with trace.record(hypervisor, kinds) as recorder:
                hypervisor.run(20_000)
            check_chrome(trace.to_chrome(recorder.recording))


@pytest.mark.parametrize("time_div", [1, 3, 1000])
def test_times_are_those_of_the_timebase(time_div: int) -> None:
    recording, hypervisor = recorded()
    hypervisor.close()
    other = trace.Recording(
        **{
            field: getattr(recording, field)
            for field in recording.__slots__
            if field != "time_div"
        },
        time_div=time_div,
    )
    check_chrome(trace.to_chrome(other))
    assert other.nanoseconds(time_div * 7) == 700
    assert other.cycle_at(1.0) == time_div * 10_000_000


def test_a_trace_of_nothing() -> None:
    with hv.Hypervisor() as hypervisor, trace.record(hypervisor) as recorder:
        pass
    check_chrome(trace.to_chrome(recorder.recording))
    assert trace.to_text(recorder.recording) == ""
    parsed(trace.gantt(recorder.recording))


@pytest.mark.parametrize("harts", [1, 2])
def test_slices_say_what_was_charged(harts: int) -> None:
    """The books are kept apart from the trace: they are its oracle."""
    programs: Programs = {"a": (p.SPIN, {}), "b": (TALKER, {})}
    recording, hypervisor = recorded(programs, harts=harts)
    timeline = trace.Timeline(recording)
    with hypervisor:
        for hart in hypervisor.harts:
            ran = sum(
                span.end - span.begin for span in timeline.harts[hart.number]
            )
            alone = sum(
                work.end - work.begin
                for work in timeline.work
                if work.hart == hart.number and work.vcpu is None
            )
            assert ran + alone == pytest.approx(
                hart.guest + hart.hypervisor, rel=0.02, abs=500
            )
        for vm in hypervisor:
            (info,) = vm.vcpus
            for activity, ticks in {
                trace.Activity.RUNNING: info.running,
                trace.Activity.RUNNABLE: info.runnable,
                trace.Activity.OFFLINE: info.offline,
            }.items():
                cycles = sum(
                    span.end - span.begin
                    for span in timeline.vcpus[vm.number, 0]
                    if span.activity is activity
                )
                assert cycles / recording.time_div == pytest.approx(
                    ticks, abs=100 + ticks * 0.01
                )


def test_rows_have_no_overlap_and_no_hole() -> None:
    recording, hypervisor = recorded()
    hypervisor.close()
    timeline = trace.Timeline(recording)
    assert len(timeline.order) == 4
    for spans in timeline.vcpus.values():
        for before, after in pairwise(spans):
            assert before.end == after.begin
            assert before.begin < before.end
    for runs in timeline.harts:
        for before, after in pairwise(runs):
            assert before.end <= after.begin


def test_a_kick_has_two_ends() -> None:
    recording, hypervisor = recorded()
    hypervisor.close()
    kicks = list(recording.events.of("kick"))
    assert kicks
    assert all(kick.hart != kick.arg for kick in kicks)
    flows = [f for f in trace.Timeline(recording).flows if f.kind == "kick"]
    assert flows
    for flow in flows:
        assert flow.source[0] <= flow.target[0]
        assert flow.source[1] != flow.target[1]


def test_a_cap_is_seen_as_parked() -> None:
    recording, hypervisor = recorded({"capped": (p.SPIN, {"cap": 25})})
    hypervisor.close()
    (spans,) = trace.Timeline(recording).vcpus.values()
    share: dict[str, int] = defaultdict(int)
    for span in spans:
        share[span.activity] += span.end - span.begin
    total = sum(share.values())
    assert share["running"] / total == pytest.approx(0.25, abs=0.05)
    assert share["parked"] / total == pytest.approx(0.75, abs=0.05)


# -- the text log ------------------------------------------------------------

LINE = re.compile(r" *\d+\.\d{3} us  hart \d  (\S+) +([a-z]+)( .*)?")


def test_the_log_has_a_line_for_each_event() -> None:
    recording, hypervisor = recorded()
    hypervisor.close()
    lines = trace.to_text(recording).splitlines()
    assert len(lines) == len(recording.events)
    for line, event in zip(lines, recording.events, strict=True):
        match = LINE.fullmatch(line)
        assert match, line
        assert match[2] == event.kind
    assert any("ecall from U" in line for line in lines)
    assert any(re.search("pair.0 +ipi +to vCPU 1$", line) for line in lines)


def test_the_same_run_has_the_same_trace() -> None:
    (one, first), (other, second) = recorded(), recorded()
    for hypervisor in (first, second):
        hypervisor.close()
    assert trace.to_chrome(one) == trace.to_chrome(other)
    assert trace.to_text(one) == trace.to_text(other)
    assert trace.gantt(one) == trace.gantt(other)


# -- the picture -------------------------------------------------------------


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 -- our own picture


def texts(svg: str) -> list[str]:
    root = parsed(svg)
    return [e.text or "" for e in root.iter() if e.tag.endswith("}text")]


@pytest.mark.parametrize("slice_", [300, 1])
def test_the_picture_has_a_row_for_everybody(slice_: int) -> None:
    recording, hypervisor = recorded(kinds=STATES, slice=slice_)
    hypervisor.close()
    svg = trace.gantt(recording)
    found = texts(svg)
    for row in ("hart 0", "hart 1", "talker.0", "spin.0", "pair.0", "pair.1"):
        assert row in found
    assert any("stolen" in text for text in found)
    assert any(re.fullmatch(r"[\d.]+ (us|ms)", text) for text in found)
    assert len(svg) < 400_000


def test_a_part_of_the_picture() -> None:
    recording, hypervisor = recorded(kinds=STATES)
    hypervisor.close()
    part = trace.gantt(recording, begin=0.0005, end=0.001)
    assert len(part) < len(trace.gantt(recording))
    marks = [t for t in texts(part) if re.fullmatch(r"[\d.]+ (us|ms)", t)]
    assert marks[0] == "500 us"
    assert marks[-1] == "1 ms"
    parsed(trace.gantt(recording, begin=9.0))
    parsed(trace.gantt(recording, begin=0.001, end=0.0005))

"""Who is measured in which order, and the ratios of that."""

import pytest

from hv.bench import aims, machines
from hv.bench.aims import Aim, Ratio
from hv.bench.machines import OnQemu, OnUnicorn, places, result_of
from hv.bench.programs import WORKS, Work
from hv.bench.report import Skip
from hv.bench.speeds import Speeds, Track
from hv.errors import HvError
from tests.bench.conftest import Fake

WORK = Work("mix", 10, "work")
RATIO = Ratio(Aim(name="a-b", what="a to b", aim=2), ("mix", "a"), ("mix", "b"))


def speeds(*fakes: Fake, rounds: tuple[int, ...] = (10, 10)) -> Speeds:
    found = Speeds(1, ())
    found.tracks = [
        Track(WORK, fake, count)
        for fake, count in zip(fakes, rounds, strict=True)
    ]
    return found


def test_a_ratio_is_the_median_of_the_turns_ratios() -> None:
    found = speeds(Fake("a", [4.0, 9.0, 10.0]), Fake("b", [1.0, 3.0, 1.0]))
    found.run(3, lambda _: None)
    figure = found.figure(RATIO)
    assert figure is not None
    assert (figure.low, figure.value, figure.high) == (3, 4, 10)
    assert figure.met


def test_a_ratio_is_of_the_same_amount_of_work() -> None:
    found = speeds(Fake("a", [4.0]), Fake("b", [4.0]), rounds=(1, 10))
    found.run(1, lambda _: None)
    figure = found.figure(RATIO)
    assert figure is not None
    assert figure.value == pytest.approx(10)


def test_a_ratio_with_a_missing_side_is_none() -> None:
    found = speeds(Fake("a"), Fake("c"))
    found.run(1, lambda _: None)
    assert found.figure(RATIO) is None


def test_turns_are_interleaved() -> None:
    told: list[str] = []
    found = speeds(Fake("a", [1.0] * 2), Fake("b", [1.0] * 2))
    found.run(2, told.append)
    assert [line.split()[-1] for line in told] == ["a", "b", "a", "b"]


def test_a_wrong_result_is_an_error_and_no_speed() -> None:
    found = speeds(Fake("a"), Fake("b", result="00000002"))
    with pytest.raises(HvError, match="00000002 on b, to 00000001"):
        found.run(1, lambda _: None)


def test_results_of_different_amounts_of_work_may_differ() -> None:
    fakes = Fake("a"), Fake("b", result="00000002")
    speeds(*fakes, rounds=(1, 10)).run(1, lambda _: None)


@pytest.mark.parametrize("text", ["", "go\n", "trap\n", "go\ntrap\nx\n"])
def test_a_program_that_went_wrong_is_no_result(text: str) -> None:
    with pytest.raises(HvError, match="went wrong"):
        result_of("mix", text)


def test_missing_machines_are_left_out_with_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(machines, "find_spec", lambda _: None)
    assert "qemu-system-riscv32" in OnQemu().missing()
    assert "pip install unicorn" in OnUnicorn().missing()
    found = Speeds(1, [])
    assert found.skipped == {}
    monkeypatch.setattr("hv.bench.speeds.styles_of", lambda _: ["bare"])
    found = Speeds(1, [WORK])
    assert list(found.skipped) == ["qemu", "unicorn"]
    assert found.skipped["qemu"] == Skip("qemu", OnQemu().missing())
    assert [t.place.name for t in found.tracks] == ["ref bare", "fast bare"]


def test_every_style_there_is_is_measured_and_unicorn_gets_no_traps() -> None:
    styles = ["bare", "emulate", "assist", "pv"]
    names = [place.name for place in places(styles, traps=True)]
    assert names == [
        *(f"ref {style}" for style in styles),
        *(f"fast {style}" for style in styles),
        "qemu",
    ]
    assert places(["bare"], traps=False)[-1].name == "unicorn"
    assert [p.name for p in places(["pv"], traps=False)] == [
        "ref pv",
        "fast pv",
    ]


def test_slow_machines_do_a_part_of_the_work() -> None:
    work = Work("x", 100, "", reference=10, virtual=4)
    assert work.rounds_for("fast", "bare", 1) == 100
    assert work.rounds_for("fast", "pv", 3) == 75
    assert work.rounds_for("ref", "pv", 1) == 2
    assert work.rounds_for("", "", 2) == 200


def test_every_ratio_is_of_programs_that_are_measured() -> None:
    ratios = aims.ratios(["emulate", "pv"])
    names = [ratio.aim.name for ratio in ratios]
    assert len(names) == len(set(names))
    works = {work.name for work in WORKS}
    for ratio in ratios:
        assert {ratio.above[0], ratio.below[0]} <= works

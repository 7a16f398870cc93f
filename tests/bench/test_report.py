"""What figures mean, and what becomes of them in JSON and in tables."""

from io import StringIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hv.bench.report import SCHEMA, Speed, from_json, to_json
from hv.bench.show import aimed, reasons, show, tables
from tests.bench.conftest import a_report, figure

positive = st.floats(0.001, 1000)


def test_more_is_better_unless_less_is() -> None:
    assert figure(3, aim=2).met
    assert not figure(1, aim=2).met
    assert figure(1, aim=2, better="less").met
    assert not figure(3, aim=2, better="less").met
    assert figure(3).met is None


def test_the_margin_is_a_fraction_of_the_aim() -> None:
    assert figure(3, aim=2).margin == pytest.approx(0.5)
    assert figure(1, aim=2).margin == pytest.approx(-0.5)
    assert figure(1, aim=2, better="less").margin == pytest.approx(1.0)
    assert figure(4, aim=2, better="less").margin == pytest.approx(-0.5)
    assert figure(3, aim=2).verdict == "met by 50%"
    assert figure(4, aim=2, better="less").verdict == "missed by 50%"
    assert figure(4).verdict == ""


@given(value=positive, aim=positive, less=st.booleans())
def test_a_missed_aim_has_a_margin_below_0(
    value: float, aim: float, *, less: bool
) -> None:
    it = figure(value, aim=aim, better="less" if less else "more")
    assert it.margin is not None
    assert (it.margin >= 0) == it.met or value == pytest.approx(aim)


def test_speed_is_by_the_median() -> None:
    speed = Speed("mix", "x", 2, 1_000_000, [0.5, 0.1, 0.25])
    assert speed.per_round == 0.125
    assert speed.mips == 4
    assert Speed("mix", "x", 2, None, [0.5]).mips is None


def test_a_report_survives_json() -> None:
    report = a_report(figure(3, aim=2, stretch=2.5), figure(1, unit="ns"))
    assert from_json(to_json(report)) == report


def test_the_schema_is_what_programs_rely_on() -> None:
    found = msgspec.json.decode(to_json(a_report(figure(3))))
    assert found["schema"] == SCHEMA == 1
    assert list(found) == [
        "schema", "version", "commit", "date", "quick", "rounds", "computer",
        "skipped", "figures", "speeds", "counts",
    ]  # fmt: skip
    assert list(found["figures"][0]) == [
        "name", "what", "value", "unit", "low", "high", "better", "aim",
        "stretch", "why",
    ]  # fmt: skip
    assert list(found["speeds"][0]) == [
        "program", "place", "rounds", "insns", "seconds",
    ]  # fmt: skip
    assert list(found["counts"][0]) == [
        "style", "image", "costs", "insns", "cycles", "exits", "to_bare",
    ]  # fmt: skip


def test_another_schema_is_refused() -> None:
    data = to_json(a_report()).replace(b'"schema": 1', b'"schema": 2')
    with pytest.raises(msgspec.ValidationError, match="schema 2"):
        from_json(data)


def test_a_missed_aim_says_by_how_much_and_why() -> None:
    report = a_report(
        figure(1, aim=2, why="it is slow"), figure(9, aim=2, why="hidden")
    )
    assert reasons(report) == ["a to b: 1.00 x, missed by 50%: it is slow"]


def test_a_person_sees_ratios_first_and_what_was_left_out() -> None:
    out = StringIO()
    report = a_report(figure(5, unit="ns", what="later"), figure(3, aim=2))
    show(report, Console(file=out, width=100))
    text = out.getvalue()
    assert text.index("3.00 x") < text.index("later")
    assert "met by 50%" in text
    assert "skipped qemu: no qemu here" in text


def test_times_are_shown_by_the_fast_engine() -> None:
    speeds = tables(a_report())[2]
    assert speeds.rows == [("mix", "1.00 (0)", "6.00 (0)", "0.50")]


def test_an_aim_has_its_direction() -> None:
    assert aimed(figure(1, aim=2, stretch=2.3)) == "≥ 2 x (2.3)"
    assert aimed(figure(1, aim=2.5, better="less")) == "≤ 2.5 x"
    assert aimed(figure(1)) == ""

"""Figures of trials, some of which were given up."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hv.fuzz.pool import Here, Processes
from hv.fuzz.survival import Trial, interval, median, survival
from hv.fuzz.tables import measure
from tests.fuzz.cores import fake_core

trials = st.lists(
    st.builds(Trial, st.integers(1, 50), st.booleans()), min_size=1
)


def test_the_textbook() -> None:
    """Weeks of remission under 6-MP: E. A. Gehan, Biometrika 52, 1965."""
    found = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    given_up = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    all_of_them = [
        *(Trial(t, found=True) for t in found),
        *(Trial(t, found=False) for t in given_up),
    ]
    random.Random(1).shuffle(all_of_them)
    curve = survival(all_of_them)
    expected = [
        *((0, 1.0), (6, 0.857), (7, 0.807), (10, 0.753), (13, 0.690)),
        *((16, 0.627), (22, 0.538), (23, 0.448)),
    ]
    assert [t for t, _ in curve] == [t for t, _ in expected]
    for (_, share), (_, textbook) in zip(curve, expected, strict=True):
        assert share == pytest.approx(textbook, abs=5e-4)
    assert median(all_of_them) == 23


@given(trials)
def test_a_share_falls_from_one_to_no_less_than_nothing(
    some: list[Trial],
) -> None:
    shares = [share for _, share in survival(some)]
    assert shares[0] == 1
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] >= 0


@given(st.lists(st.integers(1, 50), min_size=1))
def test_without_giving_up_it_is_the_share_that_took_longer(
    times: list[int],
) -> None:
    for time, share in survival([Trial(t, found=True) for t in times]):
        longer = sum(t > time for t in times)
        assert share == pytest.approx(longer / len(times))


def test_an_interval_holds_the_median() -> None:
    some = [Trial(t, found=True) for t in (3, 5, 8, 9, 14, 20, 21)]
    bounds = interval(some)
    assert bounds is not None
    assert bounds[1] is not None
    assert bounds[0] <= 9 <= bounds[1]
    assert interval(some) == bounds
    assert interval([Trial(5, found=False)]) is None


def test_a_table_is_the_same_for_any_number_of_workers() -> None:
    cores = {"fake": fake_core(), "again": fake_core()}
    pool = Processes(2)
    try:
        table = measure(cores, ("g2", "g4"), pool, trials=3, limit=200)
    finally:
        pool.close()
    again = measure(
        {"fake": cores["fake"]}, ("g2", "g4"), Here(), trials=3, limit=200
    )
    rows = {
        (cell["bug"], cell["strategy"]): cell
        for cell in json.loads(table.to_json())["cells"]
    }
    for cell in json.loads(again.to_json())["cells"]:
        assert rows[cell["bug"], cell["strategy"]] == cell
    assert all(cell["found"] == 3 for cell in rows.values())
    assert [row[0] for row in table.rows()] == ["fake", "again"]
    svg = table.to_svg()
    assert svg.count(">g2<") == svg.count(">g4<") == 1

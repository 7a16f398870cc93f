"""Plots are SVG that a browser can draw, with everything on the canvas."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hv.bench.history import Entry
from hv.bench.plot import PALETTE, WIDTH, plot_history, plot_report, scale
from tests.bench.conftest import a_report, figure

SVG = "{http://www.w3.org/2000/svg}"
ratio = st.floats(0.001, 1e6)


def entry(day: int, **ratios: float) -> Entry:
    return Entry(
        f"c{day}", f"2026-01-{day:02}", quick=True, ratios=ratios, counts={}
    )


def canvas(text: str) -> tuple[ET.Element, float]:
    """Parse a plot; return its root and its height."""
    root = ET.fromstring(text)  # noqa: S314 -- our own
    assert root.tag == f"{SVG}svg"
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    assert (left, top, width) == (0, 0, WIDTH)
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text
    return root, height


def places(root: ET.Element) -> list[tuple[float, float]]:
    """Return the corners of everything that is drawn."""
    found = []
    for at in root.iter():
        get = at.attrib.get
        if at.tag == f"{SVG}rect":
            x, y = float(get("x", 0)), float(get("y", 0))
            width, height = float(get("width", 0)), float(get("height", 0))
            assert width > 0
            assert height > 0
            found += [(x, y), (x + width, y + height)]
        elif at.tag == f"{SVG}circle":
            found.append((float(get("cx", 0)), float(get("cy", 0))))
        elif at.tag == f"{SVG}polyline":
            for pair in get("points", "").split():
                x_text, y_text = pair.split(",")
                found.append((float(x_text), float(y_text)))
    return found


@given(
    figures=st.lists(
        st.builds(
            figure,
            ratio,
            aim=st.none() | ratio,
            better=st.sampled_from(["more", "less"]),
            what=st.text(st.characters(codec="ascii", min_codepoint=32)),
        ),
        max_size=5,
    )
)
def test_bars_lie_on_the_canvas(figures: list[object]) -> None:
    root, height = canvas(plot_report(a_report(*figures)))  # type: ignore[arg-type]
    bars = root.findall(f"{SVG}rect")
    assert len(bars) == len(figures)
    for x, y in places(root):
        assert 0 <= x <= WIDTH
        assert 0 <= y <= height


def test_a_bar_points_right_if_the_figure_is_good() -> None:
    report = a_report(
        figure(4, aim=2),
        figure(1, aim=2),
        figure(1, aim=2, better="less"),
        figure(4, aim=2, better="less"),
        figure(4, unit="ns"),  # no ratio: not drawn
    )
    bars = canvas(plot_report(report))[0].findall(f"{SVG}rect")
    ends = [
        (float(bar.attrib["x"]), float(bar.attrib["width"])) for bar in bars
    ]
    (zero, _), (left, width), *rest = ends
    assert left + width == pytest.approx(zero, abs=0.2)
    assert rest == [ends[0], ends[1]]
    colours = [bar.attrib["fill"] for bar in bars]
    assert colours == [PALETTE[0], PALETTE[1]] * 2


@given(
    st.lists(st.dictionaries(st.sampled_from("abcdefgh"), ratio), max_size=6)
)
def test_lines_lie_on_the_canvas(ratios: list[dict[str, float]]) -> None:
    entries = [entry(i + 1, **values) for i, values in enumerate(ratios)]
    root, height = canvas(plot_history(entries, list("abcdefgh")))
    for x, y in places(root):
        assert 0 <= x <= WIDTH
        assert 0 <= y <= height


def test_a_line_has_a_point_for_each_commit_that_measured_it() -> None:
    entries = [entry(1, a=1, b=2), entry(2, a=4), entry(3, a=2, b=8)]
    root, _ = canvas(plot_history(entries, ["a", "b"]))
    lines = root.findall(f"{SVG}polyline")
    points = [line.attrib["points"].split() for line in lines]
    assert list(map(len, points)) == [3, 2]
    heights = [float(pair.split(",")[1]) for pair in points[0]]
    assert heights[1] < heights[2] < heights[0]  # more is higher


def test_an_axis_is_logarithmic() -> None:
    axis = scale([0.25, 4], 0, 400)
    assert [axis(v) for v in (0.25, 0.5, 1, 2, 4)] == [0, 100, 200, 300, 400]
    assert axis.ticks() == [0.25, 0.5, 1, 2, 4]
    assert axis(1e9) == 400

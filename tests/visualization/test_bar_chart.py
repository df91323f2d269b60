"""Bars and histograms: in proportion, inside their frame, whatever the numbers."""

import re

import numpy as np
import pytest

from hmr_tf2.visualization import bar_chart

NAN, INF = float("nan"), float("inf")


def rectangles(svg):
    """float [N, 4]: x, y, width, height."""
    found = re.findall(r'<rect [^>]*x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)"', svg)
    return np.array(found, float).reshape(-1, 4)


def test_bars_are_in_proportion_and_tell_their_values():
    svg = bar_chart.draw_bars("t", ["hip", "wrist"], [[10.0, 40.0], [5.0, 20.0]], "mm")
    x, y, width, _ = rectangles(svg).T
    np.testing.assert_allclose(width / width[0], [1.0, 0.5, 4.0, 2.0], atol=0.01)
    assert len(set(x)) == 1 and (np.diff(y) > 0).all()
    for text in (">hip<", ">wrist<", ">10.0<", ">40.0<", ">5.0<", ">20.0<", ">mm<"):
        assert text in svg


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [NAN, INF], [1e-9, 1e9], [3.0, NAN]])
def test_bars_of_any_numbers_stay_in_the_picture(values):
    svg = bar_chart.draw_bars("t", [str(k) for k in range(len(values))], [values], "mm")
    boxes = rectangles(svg)
    assert len(boxes) == np.isfinite(values).sum() and np.isfinite(boxes).all()
    assert (boxes[:, 0] + boxes[:, 2] <= 341).all()


def test_columns_hold_every_value(rng):
    values = rng.gamma(6.0, 14.0, 1000)
    svg = bar_chart.draw_histogram("t", [values], "mm")
    heights = rectangles(svg)[:, 3]
    top_percent = float(re.findall(r">([\d.]+) %<", svg)[-1])
    assert heights.sum() / (290 - 36 - 4 - 8) * top_percent == pytest.approx(100.0, abs=1.5)


def test_what_is_far_off_stands_in_the_last_column():
    values = np.r_[np.arange(1000.0), 1e6]
    svg = bar_chart.draw_histogram("t", [values], "mm")
    assert ">1000<" in svg and ">2000<" not in svg
    boxes = rectangles(svg)
    assert len(boxes) == 40 and boxes[-1, 3] == pytest.approx(boxes[0, 3] * 26 / 25, rel=0.02)


@pytest.mark.parametrize("series", [[], [[]], [[NAN]], [[0.0]], [[5.0, 5.0], []]])
def test_a_histogram_of_any_numbers_is_drawn(series):
    svg = bar_chart.draw_histogram("t", [np.array(values) for values in series], "mm")
    assert svg.startswith("<svg") and svg.endswith("</svg>") and "nan" not in svg


def test_hostile_names_stay_text():
    svg = bar_chart.draw_bars("<script>", ["<b>"], [[1.0]], "&")
    assert "<script>" not in svg and "<b>" not in svg and ">&amp;<" in svg

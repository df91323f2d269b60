"""Bars and histograms as inline SVG; colours come from the page's style."""

import html
from collections.abc import Sequence

import numpy as np

from hmr_tf2.visualization.line_chart import color_class, round_ticks, tick_text

_WIDTH = 380
_RIGHT, _TOP, _BOTTOM = 40, 4, 36
_NAMES = 106  # left of the bars
_BAR, _GAP = 8, 5
_LINE = 17  # of the names

_HEIGHT = 290
_LEFT = 42
_NUM_BINS = 40
_COVERED = 99.5  # per cent of the values that the bins span; the last one holds the rest


def draw_bars(title: str, names: Sequence[str], series: Sequence[np.ndarray], unit: str) -> str:
    """An `<svg>` of horizontal bars: for each name one per series, with its value at the end.

    Args:
        title: describes the chart to those who cannot see it.
        names: the N names beside the bars.
        series: float [N] each; values that are not finite have no bar.
        unit: unit of the values.
    """
    values = np.array(series, np.float64).reshape(len(series), len(names))
    pitch = max(_LINE, _BAR * len(series) + _GAP)
    height = _TOP + pitch * len(names) + _BOTTOM
    finite = values[np.isfinite(values)]
    ticks, _, end = round_ticks(0.0, float(finite.max(initial=0.0)) or 1.0)
    end = end or 1.0
    parts = [_vertical_grid(ticks, end, height, unit)]
    for row, name in enumerate(names):
        top = _TOP + row * pitch + (pitch - _BAR * len(series)) / 2
        parts.append(_label(_NAMES - 8, top + _BAR * len(series) / 2, name, "value"))
        for k, value in enumerate(values[:, row]):
            if np.isfinite(value):
                parts.append(_bar(value, end, top + k * _BAR, k))
    return _svg(title, height, parts)


def _bar(value, end, top, k) -> str:
    width = max(0.0, value) / end * (_WIDTH - _RIGHT - _NAMES)
    return (
        f'<rect class="{color_class(k)}" x="{_NAMES}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{_BAR - 1}"/>'
        f'<text class="small" x="{_NAMES + width + 4:.1f}" y="{top + _BAR / 2:.1f}" dy="0.32em">'
        f"{value:.1f}</text>"
    )


def _vertical_grid(ticks, end, height, unit) -> str:
    parts = []
    for tick in ticks:
        x = _NAMES + tick / end * (_WIDTH - _RIGHT - _NAMES)
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{height - _BOTTOM}"/>'
        )
        parts.append(_label(x, height - _BOTTOM + 12, tick_text(tick), "step"))
    parts.append(_label((_NAMES + _WIDTH - _RIGHT) / 2, height - 8, unit, "step"))
    return "".join(parts)


def draw_histogram(title: str, series: Sequence[np.ndarray], unit: str) -> str:
    """An `<svg>` of the shares of values, in per cent, over their size.

    The bins begin at 0 and are the same for all series. The last one also holds larger values.

    Args:
        title: describes the chart to those who cannot see it.
        series: float [N] each, not negative; values that are not finite are left out.
        unit: unit of the values.
    """
    series = [values[np.isfinite(values)] for values in map(np.asarray, series)]
    largest = max((float(np.percentile(v, _COVERED)) for v in series if len(v)), default=0.0)
    ticks, _, end = round_ticks(0.0, largest or 1.0)
    edges = np.linspace(0.0, end, _NUM_BINS + 1)
    shares = [100.0 * np.histogram(np.minimum(v, end), edges)[0] / max(1, len(v)) for v in series]
    levels, _, top = round_ticks(0.0, max((float(s.max()) for s in shares), default=0.0) or 1.0)
    width, bottom = _WIDTH - _LEFT - 14, _HEIGHT - _BOTTOM
    parts = []
    for level in levels:
        y = bottom - level / top * (bottom - _TOP - 8)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + width}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(_label(_LEFT - 7, y, f"{tick_text(level)} %", "value"))
    for k, share in enumerate(shares):
        parts.append(_columns(share, top, width / _NUM_BINS, bottom, k))
    for tick in ticks:
        parts.append(_label(_LEFT + tick / end * width, bottom + 12, tick_text(tick), "step"))
    parts.append(
        f'<line class="axis" x1="{_LEFT}" x2="{_LEFT + width}" y1="{bottom}" y2="{bottom}"/>'
    )
    parts.append(_label(_LEFT + width / 2, _HEIGHT - 8, unit, "step"))
    return _svg(title, _HEIGHT, parts)


def _columns(shares, top, width, bottom, k) -> str:
    columns = []
    for bin_number, share in enumerate(shares):
        height = share / top * (bottom - _TOP - 8)
        if height:
            columns.append(
                f'<rect class="half {color_class(k)}" x="{_LEFT + bin_number * width:.1f}" '
                f'y="{bottom - height:.1f}" width="{width - 0.6:.1f}" height="{height:.1f}"/>'
            )
    return "".join(columns)


def _label(x, y, text, kind) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" dy="0.35em">{html.escape(text)}</text>'


def _svg(title, height, parts) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{html.escape(title)}">'
        f"{''.join(parts)}</svg>"
    )

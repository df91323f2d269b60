"""Line charts as inline SVG: axes, ticks, lines with gaps; colours come from the page's style."""

import html
import math
from collections.abc import Sequence

import numpy as np

NUM_COLORS = 6  # classes c0 to c5 of the style sheet

_WIDTH, _HEIGHT = 380, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 10, 42
_MAX_POINTS = 800  # more cannot be told apart
_SMOOTHED_FROM = 60
_LOG_FROM = 100.0  # ratio of largest to smallest value that a linear axis does not show well


def color_class(k: int) -> str:
    """The class that colours line `k`, in the drawing and in a legend."""
    return f"c{k % NUM_COLORS}"


def draw_lines(title: str, lines: Sequence[np.ndarray], across: str = "step") -> str:
    """An `<svg>` of lines [N, 2] of (step, value); `across` names the steps.

    Values that are not finite leave a gap. Long lines are drawn pale, with a moving mean on top.
    Values that are all positive and differ widely get a logarithmic axis.
    """
    seen = np.concatenate([line[np.isfinite(line).all(1)] for line in [np.zeros((0, 2)), *lines]])
    opening = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(title)}">'
    )
    if not len(seen):
        return (
            f'{opening}<text class="none" x="{_WIDTH / 2}" y="{_HEIGHT / 2}">'
            "No values</text></svg>"
        )
    steps = _Axis(seen[:, 0], _LEFT, _WIDTH - _RIGHT)
    values = _Axis(seen[:, 1], _HEIGHT - _BOTTOM, _TOP, may_be_log=True)
    drawn = "".join(_line(line, steps, values, k) for k, line in enumerate(lines))
    return f"{opening}{_frame(steps, values, across)}{drawn}</svg>"


class _Axis:
    """Maps numbers to a coordinate between `start` and `end`, and knows where its ticks are."""

    def __init__(self, numbers, start: float, end: float, may_be_log: bool = False):
        low, high = float(numbers.min()), float(numbers.max())
        self.is_log = may_be_log and low > 0 and high / low >= _LOG_FROM
        self._start, self._end = start, end
        if self.is_log:
            self.ticks = _powers(low, high)
            self._low, self._high = math.log10(low), math.log10(high)
        else:
            self.ticks, self._low, self._high = round_ticks(low, high)
            if not may_be_log:  # steps fill the width, but values get room up to the next tick
                self._low, self._high = low, high
                self.ticks = [tick for tick in self.ticks if low <= tick <= high]

    def place(self, number):
        """The coordinate of `number` [...]; the middle if all numbers are equal."""
        number = np.asarray(number, np.float64)
        if self.is_log:
            number = np.log10(np.where(number > 0, number, np.nan))
        extent = self._high - self._low
        share = (number - self._low) / extent if extent > 0 else np.full_like(number, 0.5)
        return self._start + share * (self._end - self._start)


def round_ticks(low: float, high: float) -> tuple[list[float], float, float]:
    """About five multiples of 1, 2 or 5 times a power of ten, and the first and last of them."""
    if high <= low:
        return [low], low, low
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    pace = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= 0.999 * rough)
    first, last = math.floor(low / pace + 1e-9), math.ceil(high / pace - 1e-9)
    ticks = [k * pace for k in range(first, last + 1)]
    return ticks, ticks[0], ticks[-1]


def _powers(low: float, high: float) -> list[float]:
    """The powers of ten between `low` and `high`, thinned out to about six."""
    exponents = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    return [10.0**k for k in exponents[:: 1 + len(exponents) // 6]]


def _frame(steps, values, across) -> str:
    parts = []
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for tick in values.ticks:
        y = f"{float(values.place(tick)):.1f}"
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text class="value" x="{_LEFT - 7}" y="{y}" dy="0.35em">{tick_text(tick)}</text>'
        )
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    for tick in steps.ticks:
        x = f"{float(steps.place(tick)):.1f}"
        parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text class="step" x="{x}" y="{bottom + 17}">{tick_text(tick)}</text>')
    note = html.escape(across) + ", values on a logarithmic axis" * values.is_log
    parts.append(f'<text class="step" x="{(_LEFT + right) / 2}" y="{_HEIGHT - 5}">{note}</text>')
    return "".join(parts)


def tick_text(tick: float) -> str:
    """The number at a tick, in short form."""
    text = f"{tick:.6g}"
    whole, _, digits = text.partition("e")
    return f"{whole}e{int(digits)}" if digits else text


def _line(line, steps, values, k) -> str:
    """A polyline for every stretch of finite values; a dot if a stretch is a single point."""
    if len(line) < _SMOOTHED_FROM:
        return _stretches(line, steps, values, color_class(k))
    thinned = line[:: math.ceil(len(line) / _MAX_POINTS)]
    pale = _stretches(thinned, steps, values, f"pale {color_class(k)}")
    return pale + _stretches(_smoothed(line), steps, values, color_class(k))


def _smoothed(line) -> np.ndarray:
    """[M, 2]: moving means, M < N; windows shrink towards both ends, gaps stay out of them.

    They end where a window is still half as wide as the others: the last value alone is noise.
    """
    number = len(line)
    finite = np.isfinite(line).all(1)
    count = np.concatenate([[0], np.cumsum(finite)])
    total = np.concatenate([[0.0], np.cumsum(np.where(finite, line[:, 1], 0.0))])
    widest = number // 40 + 1
    at = np.arange(0, number - widest // 2, max(1, widest // 3))
    reach = np.minimum(widest, np.minimum(at, number - 1 - at))
    low, high = at - reach, at + reach + 1
    mean = (total[high] - total[low]) / np.maximum(count[high] - count[low], 1)
    return np.column_stack([line[at, 0], np.where(finite[at], mean, np.nan)])


def _stretches(line, steps, values, color) -> str:
    points = np.column_stack([steps.place(line[:, 0]), values.place(line[:, 1])])
    finite = np.isfinite(points).all(1)
    ends = np.flatnonzero(np.diff(finite, prepend=False, append=False))
    shapes = []
    for start, end in zip(ends[::2], ends[1::2], strict=True):
        places = [f"{x:.1f},{y:.1f}" for x, y in points[start:end]]
        if len(places) == 1:
            x, y = places[0].split(",")
            shapes.append(f'<circle class="{color}" cx="{x}" cy="{y}" r="2.5"/>')
        else:
            shapes.append(f'<polyline class="{color}" points="{" ".join(places)}"/>')
    return "".join(shapes)

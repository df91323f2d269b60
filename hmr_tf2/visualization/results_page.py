"""One HTML file that shows how a run went: curves, tables, pictures. It needs no other file.

    write_results_page("results.html", title="Quickstart", notes=["Trained 400 steps."],
                       curves={"Losses": {"e_loss": [(1, 9.3), (2, 8.8)]}},
                       tables=[("Errors", ["", "MPJPE"], [["start", 182.4]])],
                       pictures=[("Test picture", picture)])

No script, no font and no picture is fetched; a content policy in the page forbids it.
"""

import base64
import html
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from hmr_tf2.visualization.line_chart import color_class, draw_lines
from tfrecords_tools.files import write_text

Curve = Sequence[tuple[float, float]]
Chart = Mapping[str, Curve]
Table = tuple[str, Sequence[Any], Sequence[Sequence[Any]]]


def write_results_page(
    path: str | os.PathLike,
    *,
    title: str,
    curves: Mapping[str, Chart] | None = None,
    tables: Sequence[Table] = (),
    pictures: Sequence[tuple[str, np.ndarray]] = (),
    notes: Sequence[str] = (),
    sections: Sequence[tuple[str, str]] = (),
) -> pathlib.Path:
    """Writes the page; it appears under its name when it is complete.

    Args:
        path: the HTML file; an existing one is replaced.
        title: title of the page.
        curves: chart title -> name of a line -> (step, value) pairs. Values that are not finite
            leave a gap and are counted; long noisy lines are drawn pale with their mean on top.
        tables: (caption, header, rows); cells are text or numbers, the first column is a label.
        pictures: (caption, RGB uint8 [H, W, 3]), embedded without loss.
        notes: paragraphs of plain text under the title.
        sections: (heading, HTML) of more parts, made with `chart_grid` and `gallery`; they follow
            the tables.

    Returns:
        `path`.
    """
    path = pathlib.Path(path)
    parts = [
        ("Results", "".join(_table(*table) for table in tables)),
        *sections,
        ("Pictures", gallery(pictures)),
        ("Curves", chart_grid([_chart(*chart) for chart in (curves or {}).items()])),
    ]
    page = _page(title, notes, parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page, errors="replace")
    return path


def _page(title, notes, parts) -> str:
    """The HTML of the page; `parts` are (heading, HTML), and the empty ones are left out."""
    body = "".join(
        f"<section><h2>{_text(name)}</h2>{part}</section>" for name, part in parts if part
    )
    return _PAGE.format(
        title=_text(title),
        style=_STYLE,
        notes="".join(f"<p>{_text(note)}</p>" for note in notes),
        body=body or '<p class="empty">There is nothing to show yet.</p>',
    )


def _text(value) -> str:
    return html.escape(str(value))


def _number(value: float) -> str:
    """A number as short text; from ten on it has one decimal, so that columns line up."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.1f}" if 10 <= abs(value) < 1e6 else f"{value:.3g}"


def _table(caption, header, rows) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in header)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    if not rows:
        lines = f'<tr><td class="empty" colspan="{max(1, len(header))}">No rows</td></tr>'
    return (
        f'<div class="scroll"><table><caption>{_text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _cell(value) -> str:
    is_float = isinstance(value, float | np.floating)
    return f"<td>{_text(_number(value) if is_float else value)}</td>"


def gallery(pictures: Sequence[tuple[str, np.ndarray]], jpeg_quality: int | None = None) -> str:
    """HTML of (caption, RGB uint8 [H, W, 3]) pictures, without loss unless a quality is given."""
    if not pictures:
        return ""
    for caption, picture in pictures:
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(
                f"The picture {caption!r} must be RGB uint8 [H, W, 3], "
                f"got {picture.dtype} {list(picture.shape)}."
            )
    # Cells as wide as the widest picture wants, so that strips of several views stay legible.
    aspect = max(picture.shape[1] / max(1, picture.shape[0]) for _, picture in pictures)
    figures = "".join(_figure(*picture, jpeg_quality) for picture in pictures)
    width = min(13 * max(1, aspect), 30)
    return f'<div class="gallery" style="--cell:{width:.3g}rem">{figures}</div>'


def _figure(caption, picture, jpeg_quality) -> str:
    height, width = picture.shape[:2]
    kind, options = (
        ("png", []) if jpeg_quality is None else ("jpeg", [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    )
    source = base64.b64encode(_encoded(picture, kind, options)).decode("ascii")
    words = _text(caption)
    return (
        f'<figure><img src="data:image/{kind};base64,{source}" alt="{words}" width="{width}" '
        f'height="{height}"><figcaption>{words}</figcaption></figure>'
    )


def _encoded(picture: np.ndarray, kind: str, options: list[int]) -> bytes:
    done, data = cv2.imencode(f".{kind}", np.ascontiguousarray(picture[..., ::-1]), options)
    if not done:
        raise OSError(f"OpenCV could not encode a picture of shape {list(picture.shape)}.")
    return data.tobytes()


def chart_grid(charts: Sequence[str]) -> str:
    """HTML of charts made by `chart_card`, side by side."""
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def chart_card(title: str, drawing: str, legend: str = "") -> str:
    """HTML of one chart: its title, the items of its legend, its `<svg>`."""
    return (
        f'<figure class="chart"><figcaption><b>{_text(title)}</b></figcaption>'
        f'<ul class="legend">{legend}</ul>{drawing}</figure>'
    )


def _chart(title, lines) -> str:
    """Lines with a legend that gives the last values."""
    data = {name: np.array(line, np.float64).reshape(-1, 2) for name, line in lines.items()}
    keys = "".join(_key(k, name, line[:, 1]) for k, (name, line) in enumerate(data.items()))
    return chart_card(title, draw_lines(title, list(data.values())), keys)


def _key(k, name, values) -> str:
    finite = values[np.isfinite(values)]
    lost = len(values) - len(finite)
    warning = f"{lost} not finite" if lost else ""
    words = _number(finite[-1]) if len(finite) else "no values"
    return legend_item(k, name, words, warning)


def legend_item(k: int, name: str, words: str = "", warning: str = "") -> str:
    """HTML that says what colour `k` stands for, with `words` beside it and `warning` in red."""
    warning = f" <em>{_text(warning)}</em>" if warning else ""
    return (
        f'<li><i class="{color_class(k)}"></i>{_text(name)} <span>{_text(words)}</span>'
        f"{warning}</li>"
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" \
content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<header><h1>{title}</h1>{notes}</header>
{body}
</main>
</body>
</html>
"""

_STYLE = """
:root { --paper: #fbfbfa; --card: #fff; --ink: #1d2126; --soft: #626a73; --rule: #e2e4e6;
  --warn: #b3261e; --c0: #2364aa; --c1: #d1602b; --c2: #3a8f5c; --c3: #8653a6; --c4: #a67c00;
  --c5: #4b8c99; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --card: #1d2127; --ink: #e5e7ea;
  --soft: #9aa3ad; --rule: #31373f; --warn: #ff8a80; --c0: #6ea8e6; --c1: #f0925f; --c2: #6cc38f;
  --c3: #bd92da; --c4: #d8b54a; --c5: #7fc2cf; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.55;
  font-family: system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2.5rem clamp(1rem, 4vw, 2.5rem) 4rem; }
h1 { font-size: clamp(1.6rem, 4vw, 2.2rem); line-height: 1.2; margin: 0 0 1rem;
  letter-spacing: -0.015em; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.75rem 0 1rem; padding-bottom: 0.4rem;
  border-bottom: 1px solid var(--rule); }
header p { max-width: 68ch; margin: 0 0 0.75rem; overflow-wrap: anywhere;
  white-space: pre-line; }
.scroll { overflow-x: auto; margin-bottom: 1.75rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums;
  min-width: min(100%, 26rem); }
caption { text-align: left; color: var(--soft); font-size: 0.92rem; padding-bottom: 0.5rem; }
th, td { padding: 0.45rem 1.1rem; text-align: right; border-bottom: 1px solid var(--rule); }
th { font-size: 0.85rem; font-weight: 600; color: var(--soft);
  border-bottom: 1.5px solid var(--soft); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
.gallery { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--cell)), 1fr)); }
figure { margin: 0; min-width: 0; }
.gallery img { display: block; width: 100%; height: auto; border-radius: 6px;
  border: 1px solid var(--rule); background: #fff; }
.gallery figcaption { margin-top: 0.4rem; font-size: 0.85rem; line-height: 1.4;
  color: var(--soft); overflow-wrap: anywhere; }
.charts { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); }
.chart { background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: 0.9rem 1rem 0.6rem; display: flex; flex-direction: column; }
.chart svg { width: 100%; height: auto; margin-top: auto; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; padding: 0;
  margin: 0.2rem 0 0.6rem; font-size: 0.82rem; }
.legend i { display: inline-block; width: 0.9rem; height: 3px; border-radius: 2px;
  margin-right: 0.4rem; vertical-align: middle; background: currentColor; }
.legend span { color: var(--soft); font-variant-numeric: tabular-nums; }
.legend em { color: var(--warn); font-style: normal; }
svg text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.value { text-anchor: end; }
.step, .none { text-anchor: middle; }
.grid { stroke: var(--rule); }
.axis { stroke: var(--soft); }
polyline { fill: none; stroke: currentColor; stroke-width: 1.9; stroke-linejoin: round;
  stroke-linecap: round; }
circle, rect { fill: currentColor; }
.pale { opacity: 0.28; }
.half { opacity: 0.6; }
svg .small { font-size: 8.5px; }
polyline.pale { stroke-width: 1; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
.empty { color: var(--soft); }
@media print { body { background: none; } figure, tr { break-inside: avoid; } }
"""

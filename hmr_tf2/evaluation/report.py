"""The results of an evaluation as files: a page for people, JSON and CSV for programs."""

import csv
import io
import json
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hmr_tf2.evaluation import metrics
from hmr_tf2.evaluation.extremes import VIEWS, Pictures
from hmr_tf2.evaluation.frames import Frames
from hmr_tf2.evaluation.protocols import Protocol
from hmr_tf2.evaluation.tables import tables_of
from hmr_tf2.visualization.bar_chart import draw_bars, draw_histogram
from hmr_tf2.visualization.line_chart import draw_lines
from hmr_tf2.visualization.results_page import (
    chart_card,
    chart_grid,
    gallery,
    legend_item,
    write_results_page,
)
from tfrecords_tools.files import write_text

PAGE, RESULTS, FRAMES = "report.html", "results.json", "frames.csv"
_JPEG_QUALITY = 88
_3D_NAMES = ("MPJPE", "PA-MPJPE")


def write_report(
    folder: str | os.PathLike,
    protocol: Protocol,
    frames: Frames,
    summary: Mapping[str, Any],
    about: Mapping[str, Any],
    notes: Sequence[str],
    worst: Pictures,
    best: Pictures,
) -> pathlib.Path:
    """Writes `report.html`, `results.json` and `frames.csv`, each whole or not at all.

    Args:
        folder: the folder to write them to.
        protocol: what was evaluated.
        frames: the result of `frames.measure`.
        summary: the result of `summary.summarise`.
        about: what results.json says about the evaluation before its numbers.
        notes: paragraphs under the title of the page.
        worst, best: results of `extremes.draw`.

    Returns:
        The path of the page.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    results = {"title": protocol.title, **about, **summary}
    write_text(folder / RESULTS, json.dumps(_without_nan(results), indent=1) + "\n")
    write_text(folder / FRAMES, _csv(protocol, frames))
    return write_results_page(
        folder / PAGE,
        title=protocol.title,
        notes=notes,
        tables=tables_of(protocol, summary),
        sections=[
            ("Errors", chart_grid(_charts(frames, summary))),
            ("Largest errors", _views(worst)),
            ("Smallest errors", _views(best)),
        ],
    )


def _views(pictures: Pictures) -> str:
    if not pictures:
        return ""
    return f"<p>From left to right: {VIEWS}.</p>{gallery(pictures, _JPEG_QUALITY)}"


def _charts(frames: Frames, summary: Mapping[str, Any]) -> list[str]:
    by_joint = summary["by_joint"]
    names = [name.replace("_", " ") for name in by_joint]
    if frames.has_3d:
        keys, labels = ("mpjpe_mm", "pa_mpjpe_mm"), _3D_NAMES
        of_frames = [frames.errors_mm.mean(1), frames.errors_pa_mm.mean(1)]
        curves = [_pck_curve(errors, 1.0) for errors in (frames.errors_mm, frames.errors_pa_mm)]
        across, unit = "threshold, mm", "mm"
    else:
        keys, labels = ("keypoint_px",), ("2-D error",)
        of_frames = [frames.ranking]
        curves = [_pck_curve(frames.errors_px, 0.2)]
        across, unit = "threshold, px of the crop", "px"
    legend = "".join(legend_item(k, label) for k, label in enumerate(labels))
    means = "".join(
        legend_item(k, label, f"mean {_finite_mean(values):.1f} {unit}")
        for k, (label, values) in enumerate(zip(labels, of_frames, strict=True))
    )
    bars = [[row.get(key, math.nan) for row in by_joint.values()] for key in keys]
    return [
        chart_card("Mean error of each joint", draw_bars("By joint", names, bars, unit), legend),
        chart_card(
            "Share of the frames by their error", draw_histogram("Frames", of_frames, unit), means
        ),
        chart_card("Joints within a threshold, %", draw_lines("PCK", curves, across), legend),
    ]


def _pck_curve(errors, unit) -> np.ndarray:
    thresholds = metrics.AUC_THRESHOLDS_MM * unit
    return np.array([(t, metrics.percentage_of_correct(errors, t)) for t in thresholds])


def _finite_mean(values) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else math.nan


def _csv(protocol: Protocol, frames: Frames) -> str:
    """One line per frame: where it is from, its groups, its errors."""
    columns = {"keypoint_px": frames.mean_px}
    if frames.has_3d:
        errors = {"mpjpe_mm": frames.errors_mm, "pa_mpjpe_mm": frames.errors_pa_mm}
        columns = {name: values.mean(1) for name, values in errors.items()} | columns
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["recording", "record", "file", *frames.labels, *columns])
    for k in range(len(frames)):
        writer.writerow(
            [
                protocol.recordings[frames.recording[k]].name,
                frames.record[k],
                frames.filename[k],
                *(labels[k] for labels in frames.labels.values()),
                *(f"{values[k]:.4f}" for values in columns.values()),
            ]
        )
    return file.getvalue()


def _without_nan(value):
    """Replaces NaN by None: JSON has no NaN, and null stands for what is not known."""
    if isinstance(value, Mapping):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

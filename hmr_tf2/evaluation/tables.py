"""The numbers of an evaluation as tables for people: the same on the terminal and in HTML."""

import math
from collections.abc import Sequence
from typing import Any

from hmr_tf2.evaluation.protocols import Protocol
from hmr_tf2.evaluation.summary import LABELS

# Caption, header, rows; the first column is a label.
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]

# Longer tables of recordings are in results.json only.
MAX_RECORDINGS = 12

# Measure that exists without and with (`pa_`) the best similarity -> the name of both.
_PAIRS = {
    "mpjpe_mm": "MPJPE, mean over frames, mm",
    "mpjpe_over_groups_mm": "MPJPE, mean over {}s, mm",
    "median_mm": "MPJPE, median over frames, mm",
    "pck_150mm": "PCK at 150 mm, %",
    "auc": "AUC, %",
}
_OF_KEYPOINTS = ("keypoint_px", "keypoint_median_px", "pck_torso", "pckh")


def tables_of(protocol: Protocol, summary: dict[str, Any]) -> list[Table]:
    """The tables of `summary.summarise`'s numbers, the most important first."""
    overall = summary["overall"]
    result: list[Table] = []
    if protocol.has_3d:
        rows = [
            [name.format(protocol.grouped_by), number(overall[key]), number(overall[f"pa_{key}"])]
            for key, name in _PAIRS.items()
            if key in overall
        ]
        result.append(("3-D joints", ["", "hips aligned", "best similarity (PA)"], rows))
    if protocol.grouped_by:
        result.append(_groups(protocol, summary, protocol.grouped_by))
    if protocol.activities:
        result.append(_groups(protocol, summary, "activity"))
    if 1 < len(summary["by_recording"]) <= MAX_RECORDINGS:
        result.append(_groups(protocol, summary, "recording"))
    keypoints = [[LABELS[name], number(overall[name])] for name in _OF_KEYPOINTS]
    result.append(("2-D keypoints in the crop", ["", ""], keypoints))
    what = "MPJPE, mm" if protocol.has_3d else "2-D error, px"
    percentiles = summary["percentiles"]
    result.append(
        (
            "Percentiles of the frames",
            ["", *(f"{p}th" for p in percentiles)],
            [[what, *map(number, percentiles.values())]],
        )
    )
    return result


def _groups(protocol, summary, kind) -> Table:
    header = [kind, "frames", *(LABELS[column] for column in protocol.columns)]
    rows = [
        [name, str(row["frames"]), *(number(row[column]) for column in protocol.columns)]
        for name, row in summary[f"by_{kind}"].items()
    ]
    if protocol.equal_recordings and kind == protocol.grouped_by:
        of_columns = [[row[c] for row in summary[f"by_{kind}"].values()] for c in protocol.columns]
        means = [number(sum(values) / len(values)) for values in of_columns]
        rows.append(["Average", str(summary["frames"]), *means])
    return f"By {kind}", header, rows


def number(value: float) -> str:
    """A number with two decimals, as the original prints it; a dash if it is not known."""
    return f"{value:.2f}" if math.isfinite(value) else "–"


def as_text(tables: Sequence[Table]) -> str:
    """The tables as text for a terminal."""
    return "\n\n".join(_text(*table) for table in tables)


def _text(caption, header, rows) -> str:
    lines = [header, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    aligned = [
        line[0].ljust(widths[0])
        + "".join(f"  {cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True))
        for line in lines
        if any(line)
    ]
    return "\n".join([caption, *(line.rstrip() for line in aligned)])

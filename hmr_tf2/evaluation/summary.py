"""Summarises the errors of frames: over all of them, by group, by joint."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hmr_tf2.evaluation import metrics
from hmr_tf2.evaluation.frames import UNKNOWN_ACTIVITY, Frames
from hmr_tf2.evaluation.protocols import Protocol
from tfrecords_tools import joints

# Measure -> its name in tables.
LABELS = {
    "mpjpe_mm": "MPJPE, mm",
    "pa_mpjpe_mm": "PA-MPJPE, mm",
    "median_mm": "median, mm",
    "pa_median_mm": "PA-median, mm",
    "pck_150mm": "PCK, %",
    "auc": "AUC, %",
    "pa_pck_150mm": "PA-PCK, %",
    "pa_auc": "PA-AUC, %",
    "keypoint_px": "2-D error, px",
    "keypoint_median_px": "median 2-D error, px",
    "pck_torso": "PCK at 0.2 torso, %",
    "pckh": "PCKh at 0.5, %",
}
# The percentiles that the original prints.
PERCENTILES = (90, 70, 50, 30, 10)

_TORSO_SHARE = 0.2
_HEAD_SHARE = 0.5

Measures = dict[str, float]


def summarise(protocol: Protocol, frames: Frames) -> dict[str, Any]:
    """All numbers of an evaluation, as results.json has them.

    Returns:
        `frames`, their number; `overall`: measure -> value over all frames; `percentiles` of the
        frames' MPJPE in mm (of the 2-D error in px without 3-D joints); `by_<group>`: group ->
        measures and `frames`; `by_recording`, the same; `by_joint`: joint -> mean errors.
    """
    overall = measures_of(frames)
    summary: dict[str, Any] = {"frames": len(frames), "overall": overall}
    values = frames.ranking[np.isfinite(frames.ranking)]
    summary["percentiles"] = {
        str(p): float(np.percentile(values, p)) if values.size else float("nan")
        for p in PERCENTILES
    }
    for kind, labels in frames.labels.items():
        order = (
            protocol.groups
            if kind == protocol.grouped_by
            else (*protocol.activities, UNKNOWN_ACTIVITY)
        )
        is_equal = protocol.equal_recordings and kind == protocol.grouped_by
        measure = _mean_over_recordings if is_equal else measures_of
        summary[f"by_{kind}"] = _by(frames, labels, order, measure)
    if protocol.equal_recordings:
        for name in ("mpjpe_mm", "pa_mpjpe_mm"):
            of_groups = [row[name] for row in summary[f"by_{protocol.grouped_by}"].values()]
            overall[name.replace("_mm", "_over_groups_mm")] = float(np.mean(of_groups))
    names = np.array([recording.name for recording in protocol.recordings], object)
    summary["by_recording"] = _by(frames, names[frames.recording], names, measures_of)
    summary["by_joint"] = _by_joint(frames)
    return summary


def measures_of(frames: Frames) -> Measures:
    """The measures over frames, in which every joint and every frame counts the same."""
    result: Measures = {}
    if frames.has_3d:
        for prefix, errors in (("", frames.errors_mm), ("pa_", frames.errors_pa_mm)):
            of_frames = errors.mean(1)
            result |= {
                f"{prefix}mpjpe_mm": _mean(of_frames),
                f"{prefix}median_mm": float(np.median(of_frames)),
                f"{prefix}pck_150mm": metrics.percentage_of_correct(
                    errors, metrics.PCK_THRESHOLD_MM
                ),
                f"{prefix}auc": metrics.area_under_pck(errors),
            }
    visible = frames.errors_px[~np.isnan(frames.errors_px)]
    result |= {
        "keypoint_px": _mean(visible),
        "keypoint_median_px": float(np.median(visible)) if visible.size else float("nan"),
        "pck_torso": _share_within(frames.errors_px, frames.torso_px, _TORSO_SHARE),
        "pckh": _share_within(frames.errors_px, frames.head_px, _HEAD_SHARE),
    }
    return {name: result[name] for name in LABELS if name in result}


def _share_within(errors_px, lengths_px, share) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing is relative to a length of 0
        relative = np.where(lengths_px[:, np.newaxis] > 0, errors_px / lengths_px[:, None], np.nan)
    return metrics.percentage_of_correct(relative, share)


def _mean_over_recordings(frames: Frames) -> Measures:
    """The means over recordings of their measures, which is the original's value of an action."""
    parts = [
        measures_of(frames[frames.recording == recording])
        for recording in np.unique(frames.recording)
    ]
    return {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}


def _by(
    frames: Frames, labels: np.ndarray, order: Sequence[str], measure: Callable[[Frames], Measures]
) -> dict[str, Any]:
    """Label -> number of frames and measures, for the labels that have frames."""
    rows = {}
    for label in order:
        chosen = labels == label
        if chosen.any():
            rows[label] = {"frames": int(chosen.sum()), **measure(frames[chosen])}
    return rows


def _by_joint(frames: Frames) -> dict[str, Measures]:
    rows: dict[str, Measures] = {}
    for k, name in enumerate(joints.COCO_PLUS.names[: frames.errors_px.shape[1]]):
        column = frames.errors_px[:, k]
        visible = column[~np.isnan(column)]
        if k >= frames.errors_mm.shape[1] and not visible.size:
            continue  # a keypoint that the data set does not have
        row = {"keypoint_px": _mean(visible)}
        if k < frames.errors_mm.shape[1]:
            row |= {
                "mpjpe_mm": _mean(frames.errors_mm[:, k]),
                "pa_mpjpe_mm": _mean(frames.errors_pa_mm[:, k]),
            }
        rows[name] = {label: row[label] for label in LABELS if label in row}
    return rows


def _mean(values) -> float:
    return float(values.mean()) if values.size else float("nan")

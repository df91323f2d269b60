"""The errors of every frame of an evaluation, with the recording and groups it belongs to."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from hmr_tf2.evaluation import metrics
from hmr_tf2.evaluation.predictions import Arrays
from hmr_tf2.evaluation.protocols import Protocol

UNKNOWN_ACTIVITY = "not known"


@dataclasses.dataclass(frozen=True)
class Frames:
    """F frames of all recordings, one recording after the other.

    Attributes:
        recording: int [F], index into `Protocol.recordings`.
        record: int [F], number of the record in its file.
        filename: object [F], str, name of the source image; bytes that are not UTF-8 are replaced.
        errors_mm: float [F, 14], error of each joint with the hips aligned; [F, 0] without 3-D.
        errors_pa_mm: float [F, 14], the same after the best similarity.
        errors_px: float [F, K], error of each keypoint in pixels of the crop; NaN if invisible.
        torso_px, head_px: float [F], lengths that PCK and PCKh are relative to; NaN if unknown.
        labels: kind of group -> object [F], the group of each frame.
    """

    recording: np.ndarray
    record: np.ndarray
    filename: np.ndarray
    errors_mm: np.ndarray
    errors_pa_mm: np.ndarray
    errors_px: np.ndarray
    torso_px: np.ndarray
    head_px: np.ndarray
    labels: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.recording)

    def __getitem__(self, chosen: np.ndarray) -> "Frames":
        """The frames that `chosen` selects, by a mask or by indices."""
        rows = {
            field.name: getattr(self, field.name)[chosen]
            for field in dataclasses.fields(self)
            if field.name != "labels"
        }
        return Frames(**rows, labels={kind: of[chosen] for kind, of in self.labels.items()})

    @property
    def has_3d(self) -> bool:
        """Whether 3-D joints are known."""
        return self.errors_mm.shape[1] > 0

    @property
    def mean_px(self) -> np.ndarray:
        """float [F], mean error of the visible keypoints; NaN if there are none."""
        is_visible = ~np.isnan(self.errors_px)
        total = np.where(is_visible, self.errors_px, 0.0).sum(1)
        return np.where(is_visible.any(1), total / np.maximum(1, is_visible.sum(1)), np.nan)

    @property
    def ranking(self) -> np.ndarray:
        """float [F], MPJPE in mm, or `mean_px` if no 3-D joints are known; see `unit`."""
        return self.errors_mm.mean(1) if self.has_3d else self.mean_px

    @property
    def unit(self) -> str:
        """The unit of `ranking`."""
        return "mm" if self.has_3d else "px"


def measure(protocol: Protocol, predicted: Mapping[str, Arrays]) -> Frames:
    """The errors of the predictions for some recordings of the protocol (see `predictions`)."""
    numbers = {recording.name: k for k, recording in enumerate(protocol.recordings)}
    parts = [_errors(protocol, arrays) for arrays in predicted.values()]
    number = np.repeat(
        [numbers[name] for name in predicted], [len(part["record"]) for part in parts]
    )
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    labels = {}
    if protocol.grouped_by:
        groups = np.array([recording.group for recording in protocol.recordings], object)
        labels[protocol.grouped_by] = groups[number]
    activity = columns.pop("activity", None)
    if protocol.activities:
        names = np.array([UNKNOWN_ACTIVITY, *protocol.activities], object)
        is_known = (activity > 0) & (activity < len(names))
        labels["activity"] = names[np.where(is_known, activity, 0)]
    return Frames(recording=number, labels=labels, **columns)


def _errors(protocol, arrays) -> dict[str, np.ndarray]:
    keypoints = arrays["truth/keypoints"]
    count = len(keypoints)
    columns = {
        "record": arrays["record"],
        "filename": np.array(
            [name.decode(errors="replace") for name in arrays["truth/filename"]], object
        ),
        "errors_px": metrics.keypoint_errors(keypoints, arrays["prediction/joints"]),
        "torso_px": metrics.torso_lengths(keypoints),
        "head_px": metrics.head_lengths(keypoints),
        "errors_mm": np.zeros((count, 0)),
        "errors_pa_mm": np.zeros((count, 0)),
    }
    if protocol.has_3d:
        columns["errors_mm"], columns["errors_pa_mm"] = metrics.joint_errors(
            metrics.lsp_millimetres(arrays["truth/joints3d"]),
            metrics.lsp_millimetres(arrays["prediction/joints3d"]),
        )
        columns["activity"] = arrays["truth/activity"]
    return columns

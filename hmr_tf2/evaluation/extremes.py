"""Pictures of the frames with the largest and the smallest errors."""

from collections.abc import Mapping

import numpy as np

from hmr_tf2.crops import to_pixels
from hmr_tf2.data.record_index import index_files
from hmr_tf2.evaluation import reading
from hmr_tf2.evaluation.frames import Frames
from hmr_tf2.evaluation.predictions import Arrays
from hmr_tf2.evaluation.protocols import Protocol
from hmr_tf2.predictor import Predictor
from hmr_tf2.visualization import overlay

# Pictures of one recording at most, so that a bad one does not hide the others (as the original).
PER_RECORDING = 10
VIEWS = "labelled joints, predicted joints, body over the picture, body from the side"

Pictures = list[tuple[str, np.ndarray]]


def worst_and_best(
    frames: Frames, count: int, per_recording: int | None = PER_RECORDING
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the `count` frames with the largest errors, and of those with the smallest.

    The most extreme come first; no frame is in both.

    Args:
        frames: the frames to choose from.
        count: how many of each kind, if there are as many.
        per_recording: how many of one recording at most; None for no limit.
    """
    errors = frames.ranking
    order = np.argsort(errors, kind="stable")
    order = order[np.isfinite(errors[order])]
    half = (len(order) + 1) // 2
    limit = count if per_recording is None else per_recording
    best, worst = order[:half], order[half:][::-1]
    return tuple(_few_of_each(side, frames.recording, count, limit) for side in (worst, best))


def _few_of_each(ordered, recording, count, limit):
    taken, seen = [], dict.fromkeys(np.unique(recording), 0)
    for number in ordered:
        if len(taken) == count:
            break
        if seen[recording[number]] < limit:
            seen[recording[number]] += 1
            taken.append(number)
    return np.array(taken, int)


def draw(
    protocol: Protocol, frames: Frames, predicted: Mapping[str, Arrays], predictor: Predictor
) -> Pictures:
    """A caption and a picture RGB uint8 [S, 4 S, 3] for each of `frames`: see `VIEWS`."""
    if not len(frames):
        return []
    index = index_files([recording.file for recording in protocol.recordings])
    numbers = np.searchsorted(index.file_of, frames.recording) + frames.record
    (batch,) = reading.read_batches(
        index, [numbers], has_3d=protocol.has_3d, img_size=predictor.img_size
    )
    rows = [
        _row(predicted[protocol.recordings[recording].name], record)
        for recording, record in zip(frames.recording, frames.record, strict=True)
    ]
    bodies = predictor.bodies_of(np.stack([row["prediction/theta"] for row in rows]))
    drawn = [
        _panel(crop, row, vertices, predictor)
        for crop, row, vertices in zip(batch["image"], rows, bodies["verts"], strict=True)
    ]
    return [(_caption(protocol, frames, k), picture) for k, picture in enumerate(drawn)]


def _row(arrays, record) -> Arrays:
    (at,) = np.flatnonzero(arrays["record"] == record)
    return {name: values[at] for name, values in arrays.items()}


def _panel(crop, row, vertices, predictor) -> np.ndarray:
    picture = to_pixels(crop)
    keypoints, camera = row["truth/keypoints"][:14], row["prediction/cams"]
    vertices = vertices.astype(np.float64)
    return np.concatenate(
        [
            overlay.draw_skeleton(picture, keypoints[:, :2], keypoints[:, 2] > 0),
            overlay.draw_skeleton(picture, row["prediction/joints"]),
            overlay.draw_mesh(picture, vertices, camera, predictor.faces),
            overlay.draw_side(vertices, camera, predictor.faces, len(picture), 90.0),
        ],
        axis=1,
    )


def _caption(protocol, frames, k) -> str:
    where = f"{protocol.recordings[frames.recording[k]].name}, {frames.filename[k]}"
    if not protocol.has_3d:
        return f"{frames.ranking[k]:.1f} px · {where}"
    errors = (frames.errors_mm[k].mean(), frames.errors_pa_mm[k].mean())
    return f"{errors[0]:.1f} mm, PA {errors[1]:.1f} mm · {where}"

"""The test set of MPI-INF-3DHP (TS1 to TS6): one record file per sequence, for evaluation."""

import functools
import pathlib
from collections.abc import Sequence

import h5py
import numpy as np

from tfrecords_tools import images, joints
from tfrecords_tools.files import fingerprint
from tfrecords_tools.plan import ConversionError, Converted, Items, Plan, Skip, at_once
from tfrecords_tools.readers import mpi_inf_3dhp_frame
from tfrecords_tools.readers.mpi_inf_3dhp_frame import Frame

SEQUENCES = tuple(f"TS{number}" for number in range(1, 7))
# The activities that `activity_annotation` numbers from 1.
ACTIVITIES = (
    "Stand/Walk", "Exercise", "Sit on Chair", "Reach/Crouch", "On Floor", "Sports", "Misc.",
)  # fmt: skip

_TO_LSP = list(joints.MPI_INF_3DHP_TEST.indices(joints.LSP.names))


def plans(root: pathlib.Path) -> list[Plan]:
    """A plan for the sequences that are below `root`, if there are any."""
    for folder in (root / "mpi_inf_3dhp_test_set", root):
        found = [name for name in SEQUENCES if (folder / name / "annot_data.mat").is_file()]
        if found:
            files = [folder / name / "annot_data.mat" for name in found]
            return [
                Plan(
                    name="mpi_inf_3dhp/test",
                    schema="image_3d",
                    shards="mpi_inf_3dhp/test/*.tfrecord",
                    open_items=at_once(functools.partial(Items, found)),
                    read=functools.partial(read, folder),
                    settings={"annotations": fingerprint(folder, files), "sequences": found},
                    shard_names=[f"{name}.tfrecord" for name in found],
                    unit="sequence",
                    items_at_once=1,
                    may_be_empty=True,
                )
            ]
    return []


def read(folder: pathlib.Path, name: str) -> Converted:
    """The Examples of the valid frames of one sequence; an evaluation counts every one.

    A sequence without a valid frame gives none.
    """
    examples: list[bytes] = []
    skipped: list[Skip] = []
    try:
        frames, lacking = _read_annotation(folder / name)
    except images.BadSampleError as error:
        return Converted(skipped=[error.skip])
    skipped += [Skip("frame without annotation", name)] * lacking
    if not frames and not lacking:
        skipped.append(Skip("sequence without a valid frame", name, is_fault=False))
    for frame in frames:
        try:
            data = images.read_file(folder / frame.file)
            image = images.decode(data, frame.file)
            examples.append(mpi_inf_3dhp_frame.example(image, frame, min_inside=0))
        except images.BadSampleError as error:
            skipped.append(error.skip)
    return Converted(examples, skipped)


def read_annotation(folder: pathlib.Path) -> list[Frame]:
    """The valid frames of the sequence in `folder`; there may be none.

    Raises:
        ConversionError: the file is damaged.
        BadSampleError: the joints and keypoints are no projection of each other.
    """
    return _read_annotation(folder)[0]


def _read_annotation(folder: pathlib.Path) -> tuple[list[Frame], int]:
    """The valid frames, and how many valid ones lie beyond the end of the annotation."""
    path = folder / "annot_data.mat"
    size = len(joints.MPI_INF_3DHP_TEST)
    try:
        with h5py.File(path) as file:
            # MATLAB keeps one number without its axes, and NaN is not valid.
            valid = np.atleast_1d(np.asarray(file["valid_frame"], np.float64)).ravel() > 0
            keypoints = np.asarray(file["annot2"], np.float64).reshape(-1, size, 2)[:, _TO_LSP]
            points = np.asarray(file["annot3"], np.float64).reshape(-1, size, 3)[:, _TO_LSP]
            numbered: Sequence[float] = []
            if "activity_annotation" in file:
                numbered = np.asarray(file["activity_annotation"], np.float64).ravel().tolist()
    except (OSError, KeyError, ValueError, IndexError, TypeError) as error:
        raise ConversionError(
            f"{path} is not an annotation file of the MPI-INF-3DHP test set: "
            f"{type(error).__name__}: {error}"
        ) from error
    rows = np.flatnonzero(valid)
    annotated = rows[rows < min(len(keypoints), len(points))]
    if not len(annotated):
        return [], len(rows)
    camera = fit_camera(points[annotated], keypoints[annotated])
    if camera is None:
        raise images.BadSampleError("joints do not project onto keypoints", str(path))
    frames = [
        Frame(
            f"{folder.name}/imageSequence/img_{row + 1:06d}.jpg",
            keypoints[row],
            points[row],
            camera,
            int(numbered[row]) if row < len(numbered) and np.isfinite(numbered[row]) else None,
        )
        for row in annotated.tolist()
    ]
    return frames, len(rows) - len(annotated)


def fit_camera(points_mm: np.ndarray, keypoints_px: np.ndarray) -> np.ndarray | None:
    """[focal length, principal point x, y] in pixels that project the joints best.

    The annotation has no intrinsics, but it has the same points in 2-D and 3-D: in each image
    axis they lie on a line, x_px = f * X / Z + c. Points that are no numbers are left out; None
    if fewer than two different ones are left.
    """
    depths = points_mm[..., 2]
    usable = np.isfinite(points_mm).all(axis=-1) & np.isfinite(keypoints_px).all(axis=-1)
    usable &= depths != 0
    rays = points_mm[usable][:, :2] / depths[usable][:, np.newaxis]
    targets = keypoints_px[usable]
    if len(rays) < 2 or not np.ptp(rays, axis=0).all():
        return None
    fits = [np.polyfit(rays[:, axis], targets[:, axis], 1) for axis in (0, 1)]
    return np.array([0.5 * (fits[0][0] + fits[1][0]), fits[0][1], fits[1][1]])

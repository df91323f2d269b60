"""The test set of MPI-INF-3DHP (TS1 to TS6): one record file per sequence, for evaluation."""

import functools
import pathlib
from collections.abc import Sequence

import h5py
import numpy as np

from tfrecords_tools import images, joints
from tfrecords_tools.files import fingerprint
from tfrecords_tools.plan import ConversionError, Converted, Items, Plan, at_once
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
                )
            ]
    return []


def read(folder: pathlib.Path, name: str) -> Converted:
    """The Examples of the valid frames of one sequence; an evaluation counts every one."""
    examples, skipped = [], []
    for frame in read_annotation(folder / name):
        try:
            data = images.read_file(folder / frame.file)
            image = images.decode(data, frame.file)
            examples.append(mpi_inf_3dhp_frame.example(image, frame, min_inside=0))
        except images.BadSampleError as error:
            skipped.append(error.skip)
    return Converted(examples, skipped)


def read_annotation(folder: pathlib.Path) -> list[Frame]:
    """The valid frames of the sequence in `folder`."""
    path = folder / "annot_data.mat"
    try:
        with h5py.File(path) as file:
            valid = np.asarray(file["valid_frame"]).ravel().astype(bool)
            keypoints = np.asarray(file["annot2"], np.float64).reshape(len(valid), -1, 2)
            points = np.asarray(file["annot3"], np.float64).reshape(len(valid), -1, 3)
            activities: Sequence[int | None] = [None] * len(valid)
            if "activity_annotation" in file:
                activities = (
                    np.asarray(file["activity_annotation"], int).reshape(len(valid)).tolist()
                )
        keypoints, points = keypoints[:, _TO_LSP], points[:, _TO_LSP]
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise ConversionError(
            f"{path} is not an annotation file of the MPI-INF-3DHP test set: "
            f"{type(error).__name__}: {error}"
        ) from error
    camera = fit_camera(points[valid], keypoints[valid])
    return [
        Frame(
            f"{folder.name}/imageSequence/img_{row + 1:06d}.jpg",
            keypoints[row],
            points[row],
            camera,
            activities[row],
        )
        for row in np.flatnonzero(valid).tolist()
    ]


def fit_camera(points_mm: np.ndarray, keypoints_px: np.ndarray) -> np.ndarray:
    """[focal length, principal point x, y] in pixels that project the joints best.

    The annotation has no intrinsics, but it has the same points in 2-D and 3-D: in each image
    axis they lie on a line, x_px = f * X / Z + c.
    """
    rays = (points_mm[..., :2] / points_mm[..., 2:]).reshape(-1, 2)
    targets = keypoints_px.reshape(-1, 2)
    fits = [np.polyfit(rays[:, axis], targets[:, axis], 1) for axis in (0, 1)]
    return np.array([0.5 * (fits[0][0] + fits[1][0]), fits[0][1], fits[1][1]])

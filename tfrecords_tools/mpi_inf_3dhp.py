"""MPI-INF-3DHP (Mehta et al., 2017): frames of eight cameras with 3-D joints, no SMPL labels."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import scipy.io
from absl import logging

from tfrecords_tools import images, joints, records
from tfrecords_tools.plan import (
    ConversionError,
    Converted,
    Items,
    Plan,
    at_once,
    existing_file,
    existing_folder,
    fingerprint,
)

# The original's choices (akanazawa/hmr src/datasets/mpi_inf_3dhp_to_tfrecords.py).
SUBJECTS = {"train": range(1, 8), "trainval": range(1, 9)}
SEQUENCES = (1, 2)
CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
MOVED_MM = 200.0
MIN_JOINTS_INSIDE = 8
PERSON_PX = 150.0
MARGIN_PX = 150

_TO_LSP = np.array(joints.MPI_INF_3DHP.indices(joints.LSP.names))


@dataclasses.dataclass(frozen=True)
class Frame:
    """One frame of one camera.

    Attributes:
        file: path of the picture below the data set's folder.
        keypoints_px: [14, 2] in the order `joints.LSP`.
        joints_mm: [14, 3] in the order `joints.LSP`, camera frame.
        camera: [3] focal length and principal point, pixels.
    """

    file: str
    keypoints_px: np.ndarray
    joints_mm: np.ndarray
    camera: np.ndarray


def plans(
    folder: str, split: str = "train", seed: int = 0, examples_per_shard: int = 500
) -> list[Plan]:
    """The frames of S1 to S7 (`trainval`: and S8), shuffled over the whole set."""
    root = existing_folder(folder, "mpi_inf_3dhp_dir", "MPI-INF-3DHP (S1 to S8)")
    existing_file(calibration_file(root), "the calibration that all sequences share")
    sequences = find_sequences(root, SUBJECTS[split])
    plan = Plan(
        name=f"mpi_inf_3dhp/{split}",
        schema="image_3d",
        shards=f"mpi_inf_3dhp/{split}/train_%04d.tfrecord",
        open_items=at_once(lambda: shuffled(list(_frames(root, sequences)), seed)),
        read=functools.partial(read, root),
        settings={
            "annotations": fingerprint(
                root, [calibration_file(root), *(annotation_file(root, *s) for s in sequences)]
            ),
            "sequences": [f"S{subject}/Seq{number}" for subject, number in sequences],
            "seed": seed,
            "examples_per_shard": examples_per_shard,
        },
        examples_per_shard=examples_per_shard,
    )
    return [plan]


def calibration_file(root: pathlib.Path) -> pathlib.Path:
    """The original reads the intrinsics of S1/Seq1 for every sequence."""
    return root / "S1" / "Seq1" / "camera.calibration"


def annotation_file(root: pathlib.Path, subject: int, number: int) -> pathlib.Path:
    return root / f"S{subject}" / f"Seq{number}" / "annot.mat"


def find_sequences(root: pathlib.Path, subjects: Sequence[int]) -> list[tuple[int, int]]:
    """The sequences that are there; a partial download is converted, what lacks is logged."""
    wanted = [(subject, number) for subject in subjects for number in SEQUENCES]
    found = [s for s in wanted if annotation_file(root, *s).is_file()]
    missing = [
        f"S{subject}/Seq{number}" for subject, number in wanted if (subject, number) not in found
    ]
    if not found:
        raise ConversionError(
            f"{root} holds no annotation: expected S1/Seq1/annot.mat and so on to S8/Seq2."
        )
    if missing:
        logging.warning("mpi_inf_3dhp: not there and left out: %s", ", ".join(missing))
    return found


def shuffled(frames: Sequence[Frame], seed: int) -> Items:
    """RandomState, whose stream is the same in every version of NumPy."""
    order = np.random.RandomState(seed).permutation(len(frames))
    return Items([frames[index] for index in order])


def _frames(root: pathlib.Path, sequences: Sequence[tuple[int, int]]) -> Iterator[Frame]:
    cameras = read_calibration(calibration_file(root))
    for subject, number in sequences:
        numbers, keypoints, points = read_annotation(annotation_file(root, subject, number))
        for camera in CAMERAS:
            pattern = f"S{subject}/Seq{number}/imageFrames/video_{camera}/frame_%06d.jpg"
            for row in moving_frames(points[camera]):
                yield Frame(
                    pattern % (numbers[row] + 1),
                    keypoints[camera][row].astype(np.float64),
                    points[camera][row].astype(np.float64),
                    cameras[camera],
                )


def read_annotation(path: pathlib.Path) -> tuple[np.ndarray, list, list]:
    """Frame numbers [n] from 0, keypoints [n, 14, 2] and joints [n, 14, 3] in mm per camera."""
    try:
        values = scipy.io.loadmat(path, variable_names=["frames", "annot2", "annot3"])
        numbers = np.asarray(values["frames"], np.int64).ravel()
        keypoints = [values["annot2"][c][0].reshape(len(numbers), 28, 2) for c in range(14)]
        points = [values["annot3"][c][0].reshape(len(numbers), 28, 3) for c in range(14)]
    except Exception as error:  # SciPy has no error of its own for a file that is damaged
        raise ConversionError(
            f"{path} is no annotation of MPI-INF-3DHP: {type(error).__name__}: {error}"
        ) from error
    return numbers, [k[:, _TO_LSP] for k in keypoints], [p[:, _TO_LSP] for p in points]


def moving_frames(points_mm: np.ndarray) -> list[int]:
    """Rows of [n, 14, 3] in which some joint is 200 mm or more from its last kept place."""
    kept = [0] if len(points_mm) else []
    for row in range(1, len(points_mm)):
        moved = np.linalg.norm(points_mm[row] - points_mm[kept[-1]], axis=1)
        if np.any(moved >= MOVED_MM):
            kept.append(row)
    return kept


def read_calibration(path: pathlib.Path) -> list[np.ndarray]:
    """[focal length, principal point x, y] in pixels of each camera."""
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    try:
        rows = [line.split()[1:] for line in lines if line.split()[:1] == ["intrinsic"]]
        matrices = [np.array(row, np.float64).reshape(4, 4) for row in rows]
    except ValueError as error:
        raise ConversionError(f"{path}: `intrinsic` must hold 16 numbers: {error}") from None
    if len(matrices) <= max(CAMERAS):
        raise ConversionError(f"{path} describes {len(matrices)} cameras, expected 14.")
    return [np.array([0.5 * (m[0, 0] + m[1, 1]), m[0, 2], m[1, 2]]) for m in matrices]


def read(root: pathlib.Path, frame: Frame) -> Converted:
    """One Example, or none: most joints outside, or the picture not there."""
    try:
        data = images.read_file(root / frame.file)
        image = images.recode(images.decode(data, frame.file), frame.file)
        return Converted([frame_example(image, frame)])
    except images.BadSampleError as error:
        return Converted(skipped=[error.skip])


def frame_example(image: np.ndarray, frame: Frame) -> bytes:
    """The Example of a decoded frame: the person 150 px tall in a crop of 300."""
    images.check_keypoints(frame.keypoints_px, frame.file)
    images.check_keypoints(frame.joints_mm, frame.file)
    height, width = image.shape[:2]
    inside = np.all((frame.keypoints_px >= 0) & (frame.keypoints_px < [width, height]), axis=1)
    if inside.sum() < MIN_JOINTS_INSIDE:
        raise images.BadSampleError("too few joints in the picture", frame.file, is_fault=False)

    center, extent = images.box(frame.keypoints_px)
    scale = PERSON_PX / extent if extent else np.inf
    resized, factors = images.resize(image, scale, frame.file)
    center = np.round(center * factors).astype(int)
    cropped, start = images.crop(resized, center, MARGIN_PX, frame.file)
    keypoints = images.scale_points(frame.keypoints_px, factors) - start
    focal, *principal = frame.camera
    return records.image_3d_example(
        encoded=images.encode(cropped),
        filename=frame.file,
        height=cropped.shape[0],
        width=cropped.shape[1],
        keypoints=np.column_stack([keypoints, np.ones(len(keypoints))]),
        center=center - start,
        joints_m=frame.joints_mm / 1000.0,
        camera=[focal * scale, *(np.array(principal) * factors - start)],
        scale_factors=factors,
        crop_start=start,
    )

"""MPI-INF-3DHP (Mehta et al., 2017): frames from eight cameras, 3-D joints, no SMPL labels."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import scipy.io
from absl import logging

from tfrecords_tools import images, joints, video
from tfrecords_tools.files import fingerprint
from tfrecords_tools.plan import (
    ConversionError,
    Converted,
    Items,
    Plan,
    Skip,
    at_once,
    existing_file,
    existing_folder,
)
from tfrecords_tools.readers import mpi_inf_3dhp_frame, mpi_inf_3dhp_testset
from tfrecords_tools.readers.mpi_inf_3dhp_frame import Frame

# The original's choices (akanazawa/hmr src/datasets/mpi_inf_3dhp_to_tfrecords.py).
SUBJECTS = {"train": range(1, 8), "trainval": range(1, 9)}
SEQUENCES = (1, 2)
CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
MOVED_MM = 200.0

_TO_LSP = np.array(joints.MPI_INF_3DHP.indices(joints.LSP.names))


@dataclasses.dataclass(frozen=True)
class Clip:
    """The frames to use from one camera's video; `numbers` count from 0 in the video."""

    video: str
    numbers: Sequence[int]
    frames: Sequence[Frame]


def plans(
    folder: str | None, split: str = "train", seed: int = 0, examples_per_shard: int = 500
) -> list[Plan]:
    """The frames of S1 to S7 (`trainval` adds S8), and the test set if it is there.

    Pictures come from `imageFrames/video_0/frame_000001.jpg`, and are shuffled over the whole
    set. If none were unpacked, they come straight from `imageSequence/video_0.avi`, and only the
    videos are shuffled, because each is read from its beginning to its end.
    """
    root = existing_folder(folder, "mpi_inf_3dhp_dir", "MPI-INF-3DHP (S1 to S8)")
    existing_file(calibration_file(root), "the calibration that all sequences share")
    sequences = find_sequences(root, SUBJECTS[split])
    from_videos = not any((_folder(root, s) / "imageFrames").is_dir() for s in sequences)
    plan = Plan(
        name=f"mpi_inf_3dhp/{split}",
        schema="image_3d",
        shards=f"mpi_inf_3dhp/{split}/train_%04d.tfrecord",
        open_items=at_once(
            lambda: shuffled(list((_clips if from_videos else _frames)(root, sequences)), seed)
        ),
        read=functools.partial(read_clip if from_videos else read, root),
        settings={
            "annotations": fingerprint(
                root, [calibration_file(root), *(annotation_file(root, *s) for s in sequences)]
            ),
            "sequences": [f"S{subject}/Seq{number}" for subject, number in sequences],
            "source": "videos" if from_videos else "frames",
            "seed": seed,
            "examples_per_shard": examples_per_shard,
        },
        examples_per_shard=examples_per_shard,
        unit="video" if from_videos else "picture",
        items_at_once=1 if from_videos else 8,
    )
    return [plan, *mpi_inf_3dhp_testset.plans(root)]


def _folder(root: pathlib.Path, sequence: tuple[int, int]) -> pathlib.Path:
    return root / f"S{sequence[0]}" / f"Seq{sequence[1]}"


def calibration_file(root: pathlib.Path) -> pathlib.Path:
    """The original reads the intrinsics of S1/Seq1 for every sequence."""
    return root / "S1" / "Seq1" / "camera.calibration"


def annotation_file(root: pathlib.Path, subject: int, number: int) -> pathlib.Path:
    return root / f"S{subject}" / f"Seq{number}" / "annot.mat"


def find_sequences(root: pathlib.Path, subjects: Sequence[int]) -> list[tuple[int, int]]:
    """The sequences that are there; a partial download is converted, and its gaps are logged."""
    wanted = [(subject, number) for subject in subjects for number in SEQUENCES]
    found = [s for s in wanted if annotation_file(root, *s).is_file()]
    missing = [
        f"S{subject}/Seq{number}" for subject, number in wanted if (subject, number) not in found
    ]
    if not found:
        raise ConversionError(
            f"{root} holds no annotation: expected S1/Seq1/annot.mat and so on, up to S8/Seq2."
        )
    if missing:
        logging.warning("mpi_inf_3dhp: missing and left out: %s", ", ".join(missing))
    return found


def shuffled(items: Sequence[Frame | Clip], seed: int) -> Items:
    """Shuffles with RandomState, whose stream is the same in every version of NumPy."""
    order = np.random.RandomState(seed).permutation(len(items))
    return Items([items[index] for index in order])


def _frames(root: pathlib.Path, sequences: Sequence[tuple[int, int]]) -> Iterator[Frame]:
    for clip in _clips(root, sequences):
        yield from clip.frames


def _clips(root: pathlib.Path, sequences: Sequence[tuple[int, int]]) -> Iterator[Clip]:
    cameras = read_calibration(calibration_file(root))
    for subject, number in sequences:
        folder = f"S{subject}/Seq{number}"
        numbers, keypoints, points = read_annotation(annotation_file(root, subject, number))
        for camera in CAMERAS:
            rows = moving_frames(points[camera])
            frames = [
                Frame(
                    f"{folder}/imageFrames/video_{camera}/frame_{numbers[row] + 1:06d}.jpg",
                    keypoints[camera][row].astype(np.float64),
                    points[camera][row].astype(np.float64),
                    cameras[camera],
                )
                for row in rows
            ]
            video_file = f"{folder}/imageSequence/video_{camera}.avi"
            yield Clip(video_file, [int(numbers[row]) for row in rows], frames)


def read_annotation(path: pathlib.Path) -> tuple[np.ndarray, list, list]:
    """Frame numbers [n] from 0; for each camera keypoints [n, 14, 2], joints [n, 14, 3] in mm."""
    try:
        values = scipy.io.loadmat(path, variable_names=["frames", "annot2", "annot3"])
        numbers = np.asarray(values["frames"], np.int64).ravel()
        size = len(joints.MPI_INF_3DHP)
        # Cells may stand in a column or in a row.
        keypoints = [cell.reshape(-1, size, 2) for cell in values["annot2"].ravel()[:14]]
        points = [cell.reshape(-1, size, 3) for cell in values["annot3"].ravel()[:14]]
        if not len(keypoints) == len(points) == 14:
            raise ValueError(f"it describes {len(keypoints)} cameras, expected 14")
    except Exception as error:  # SciPy has no error of its own for a damaged file
        raise ConversionError(
            f"{path} is not an annotation file of MPI-INF-3DHP: {type(error).__name__}: {error}"
        ) from error
    lengths = {len(numbers), *map(len, keypoints), *map(len, points)}
    if len(lengths) > 1:
        logging.warning(
            "mpi_inf_3dhp: %s has %d to %d frames in its lists; the first %d are used",
            path, min(lengths), max(lengths), min(lengths),
        )  # fmt: skip
    length = min(lengths)
    return (
        numbers[:length],
        [k[:length, _TO_LSP] for k in keypoints],
        [p[:length, _TO_LSP] for p in points],
    )


def moving_frames(points_mm: np.ndarray) -> list[int]:
    """Rows of [n, 14, 3] in which some joint has moved 200 mm or more since the last kept row.

    The frames in between hardly differ from those that are kept.
    """
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
        raise ConversionError(f"{path} describes {len(matrices)} cameras; expected 14.")
    # A record has room for one focal length: the mean of fx and fy.
    return [np.array([0.5 * (m[0, 0] + m[1, 1]), m[0, 2], m[1, 2]]) for m in matrices]


def read(root: pathlib.Path, frame: Frame) -> Converted:
    """One Example; none if most joints are outside the picture or the picture is missing."""
    try:
        data = images.read_file(root / frame.file)
        image = images.decode(data, frame.file)
        return Converted([mpi_inf_3dhp_frame.example(image, frame)])
    except images.BadSampleError as error:
        return Converted(skipped=[error.skip])


def read_clip(root: pathlib.Path, clip: Clip) -> Converted:
    """The Examples of one video; frames past its end and damaged ones are skipped."""
    examples, skipped = [], []
    pictures = video.frames(root / clip.video, clip.numbers)
    reason = "video ends early"
    try:
        for (_, image), frame in zip(pictures, clip.frames, strict=False):
            try:
                examples.append(mpi_inf_3dhp_frame.example(image, frame))
            except images.BadSampleError as error:
                skipped.append(error.skip)
    except images.BadSampleError as error:
        reason = error.skip.reason
    lacking = clip.frames[len(examples) + len(skipped) :]
    skipped += [Skip(reason, f"{clip.video} for {frame.file}") for frame in lacking]
    return Converted(examples, skipped)

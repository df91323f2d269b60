"""Human3.6M (Ionescu et al., 2014), from the official archives or from extracted frames.

Archives: `S1/Videos/Directions 1.54138969.mp4` with `S1/MyPoseFeatures/D2_Positions/*.cdf` and
`D3_Positions_mono/*.cdf`. Extracted, as the reader of akanazawa/human_dynamics leaves them:
`S1/Directions_0/cam_0/frame0000.png` with `gt_poses.pkl` and `camera_wext.pkl`.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator

import cdflib
import numpy as np

from tfrecords_tools import images, joints, records, video
from tfrecords_tools.files import fingerprint
from tfrecords_tools.pickles import safe_pickle
from tfrecords_tools.plan import (
    Converted,
    Items,
    Plan,
    Skip,
    at_once,
    existing_folder,
)
from tfrecords_tools.readers import human36m_names, mocap_rows
from tfrecords_tools.readers.human36m_recordings import (
    CORRUPT,
    FOUND,
    MISSING,
    Recording,
    files_of,
    find_recordings,
    mosh_file,
    mosh_root,
)

FOLDER = "tf_records_human36m_wjoints"
PERSON_PX = 150.0
MARGIN_PX = 150
# The original pads the picture by this much on every side before it crops, and stores the crop's
# corner in the padded picture.
PADDING_PX = 300
# MoSh rows come at 10 per second, video frames at 50.
_FRAMES_PER_MOSH_ROW = 5

_TO_LSP = list(joints.H36M.indices(joints.LSP.names))
_TO_LSP_FROM_17 = list(joints.H36M_17.indices(joints.LSP.names))


# The frame's number in the video, its row in the poses, and the picture.
Frame = tuple[int, int, np.ndarray]
# Pose [72] and shape [10], or None and None.
SmplLabels = tuple[np.ndarray | None, np.ndarray | None]


@dataclasses.dataclass(frozen=True)
class Poses:
    """Keypoints [n, 14, 2] in pixels and joints [n, 14, 3] in mm, camera frame, order LSP."""

    keypoints_px: np.ndarray
    joints_mm: np.ndarray


def plans(
    folder: str | None, mosh_folder: str | None, frame_step: int = 5, examples_per_shard: int = 500
) -> list[Plan]:
    """A training plan for S1, S5, S6, S7, S8; a test plan for S9, S11, one file per recording."""
    root = existing_folder(folder, "h36m_dir", "Human3.6M (S1/, S5/, ... S11/)")
    mosh = mosh_root(mosh_folder)
    by_state = find_recordings(root)
    splits = {"train": human36m_names.TRAIN_SUBJECTS, "test": human36m_names.TEST_SUBJECTS}
    plans_of = []
    for split, subjects in splits.items():
        chosen = {
            state: [r for r in recordings if r.subject in subjects]
            for state, recordings in by_state.items()
        }
        if chosen[FOUND]:
            plans_of.append(_plan(root, mosh, split, chosen, frame_step, examples_per_shard))
    return plans_of


def _plan(
    root: pathlib.Path,
    mosh: pathlib.Path | None,
    split: str,
    by_state: dict[str, list[Recording]],
    frame_step: int,
    examples_per_shard: int,
) -> Plan:
    is_test = split == "test"
    recordings = by_state[FOUND]
    skipped = {state: len(by_state[state]) for state in (MISSING, CORRUPT) if by_state[state]}
    mosh = None if is_test else mosh
    mosh_files = [path for r in recordings if (path := mosh_file(mosh, r)) is not None]
    settings = {
        "recordings": len(recordings),
        "files": fingerprint(
            root, [path for r in recordings for path in files_of(root, r)], contents=False
        ),
        "mosh": fingerprint(mosh, mosh_files) if mosh and mosh_files else None,
        "frame_step": frame_step,
    }
    return Plan(
        name=f"h36m/{split}",
        schema="image_3d",
        shards=f"{FOLDER}/{split}/{'*.tfrecord' if is_test else 'train_%04d.tfrecord'}",
        open_items=at_once(lambda: Items(recordings, skipped)),
        read=functools.partial(read, root, mosh, frame_step),
        settings=settings if is_test else settings | {"examples_per_shard": examples_per_shard},
        examples_per_shard=examples_per_shard,
        shard_names=[f"{r.label}.tfrecord" for r in recordings] if is_test else None,
        unit="video",
        items_at_once=1,
    )


def read(
    root: pathlib.Path, mosh: pathlib.Path | None, frame_step: int, recording: Recording
) -> Converted:
    """The Examples of every `frame_step`-th frame of a recording, as long as it has poses."""
    examples: list[bytes] = []
    skipped: list[Skip] = []
    try:
        smpl = _read_mosh(mosh_file(mosh, recording))
        if recording.extracted is not None:
            poses, pictures = _extracted(root / recording.extracted, frame_step)
        else:
            poses, pictures = _from_archive(root, recording, frame_step)
        expected = len(range(0, len(poses.joints_mm), frame_step))
        if recording.extracted is not None:
            expected = len(poses.joints_mm)
        if not expected:
            skipped.append(Skip("recording without a frame", recording.label, is_fault=False))
        for count, (frame, row, image) in enumerate(pictures):
            name = f"{recording.label}/frame{count:04d}.png"
            try:
                examples.append(frame_example(image, name, poses, row, recording, smpl(frame)))
            except images.BadSampleError as error:
                skipped.append(error.skip)
        lacking = max(expected - len(examples) - len(skipped), 0)
        skipped += [Skip("video ends early", recording.label)] * lacking
    except images.BadSampleError as error:
        skipped.append(error.skip)
    return Converted(examples, skipped)


def _from_archive(
    root: pathlib.Path, recording: Recording, frame_step: int
) -> tuple[Poses, Iterator[Frame]]:
    """The poses, and the frames that have one: some videos are longer than their poses."""
    video_file, keypoints_file, joints_file = files_of(root, recording)
    keypoints = read_cdf(keypoints_file, 2)
    points = read_cdf(joints_file, 3)
    length = min(len(keypoints), len(points))
    poses = Poses(keypoints[:length], points[:length])
    frames = video.frames(video_file, range(0, length, frame_step))
    return poses, ((number, number, image) for number, image in frames)


def read_cdf(path: pathlib.Path, dimensions: int) -> np.ndarray:
    """float64 [n, 14, dimensions] in the order LSP, from a file of 32 points per frame."""
    try:
        values = np.asarray(cdflib.CDF(path).varget("Pose"), np.float64)
        return values.reshape(-1, len(joints.H36M), dimensions)[:, _TO_LSP]
    except Exception as error:
        raise images.BadSampleError("poses damaged", f"{path} ({error})") from error


def _extracted(folder: pathlib.Path, frame_step: int) -> tuple[Poses, Iterator[Frame]]:
    """Poses and pictures of extracted frames, which were subsampled when they were extracted."""
    path = folder / "gt_poses.pkl"
    try:
        values = safe_pickle.load(path)
        keypoints = np.asarray(values["2d"], np.float64)[:, _TO_LSP_FROM_17]
        points = np.asarray(values["3d"], np.float64)[:, _TO_LSP_FROM_17]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise images.BadSampleError("poses damaged", f"{path} ({error})") from error
    return Poses(keypoints, points), _pictures(folder, len(points), frame_step)


def _pictures(folder: pathlib.Path, num_frames: int, frame_step: int) -> Iterator[Frame]:
    for row in range(num_frames):
        path = folder / f"frame{row:04d}.png"
        if path.is_file():
            yield row * frame_step, row, images.decode(images.read_file(path), str(path))


def _read_mosh(path: pathlib.Path | None) -> Callable[[int], SmplLabels]:
    """A function from a frame's number in the video to (pose, shape) or (None, None)."""
    if path is None:
        return lambda frame: (None, None)
    try:
        values = safe_pickle.load(path)
        poses = mocap_rows.to_smpl(values["new_poses"])
        shape = mocap_rows.to_shape(values["betas"])
    except (ValueError, KeyError, TypeError) as error:
        raise images.BadSampleError("MoSh file damaged", f"{path} ({error})") from error

    def labels(frame: int) -> SmplLabels:
        row = frame // _FRAMES_PER_MOSH_ROW
        return (poses[row], shape) if row < len(poses) else (None, None)

    return labels


def frame_example(
    image: np.ndarray, name: str, poses: Poses, row: int, recording: Recording, smpl: SmplLabels
) -> bytes:
    """The Example of a decoded frame: a person 150 px tall in a crop of 300 px, edges repeated."""
    keypoints, points = poses.keypoints_px[row], poses.joints_mm[row]
    images.check_keypoints(keypoints, name)
    images.check_keypoints(points, name)
    center, extent = images.box(keypoints)
    scale = PERSON_PX / extent if extent else np.inf
    size, factors = images.target_size(image, scale, name)
    center = np.round(center * factors).astype(int)
    start, end = center - MARGIN_PX, center + MARGIN_PX
    # The crop must lie within the picture as the original pads it.
    if np.any(start < -PADDING_PX) or np.any(end > np.array(size[::-1]) + PADDING_PX):
        raise images.BadSampleError("person outside the picture", name)
    recoded = images.recode(image, start, end, factors, name)
    cropped = images.padded_crop(images.resize(recoded, size), start, end)
    focal, *principal = recording.camera_values
    pose, shape = smpl
    return records.image_3d_example(
        encoded=images.encode(cropped),
        filename=name,
        height=cropped.shape[0],
        width=cropped.shape[1],
        keypoints=np.column_stack(
            [images.scale_points(keypoints, factors) - start, np.ones(len(keypoints))]
        ),
        center=center - start,
        joints_m=points / 1000.0,
        # Scaling the picture scales the whole camera; cropping moves only its principal point.
        camera=[focal * scale, *(np.array(principal) * factors - start)],
        scale_factors=factors,
        crop_start=start + PADDING_PX,
        pose=pose,
        shape=shape,
    )

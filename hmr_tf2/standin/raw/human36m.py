"""Human3.6M: S*/Videos, D2 and D3 poses as CDF, metadata.xml, and the matching MoSh pickles."""

import functools
import itertools
import pathlib

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf2.standin import people
from hmr_tf2.standin.raw import mosh, studio
from hmr_tf2.standin.raw.runner import Order
from tfrecords_tools import joints
from tfrecords_tools.readers import human36m_names
from tfrecords_tools.readers.human36m_names import ACTIONS, CAMERA_IDS, TRIALS

SUBJECTS = (*human36m_names.TRAIN_SUBJECTS, *human36m_names.TEST_SUBJECTS)
SIZE = (320, 320)
FPS = 50
# Converters read every fifth video frame; the frames in between repeat it.
STEP = 5
_STREAM = 7
_NAMES = human36m_names.default_names()
_EXTRA_FRAMES = 2  # videos run a little longer than the poses
_KINDS = {
    "Sitting": "sit",
    "SittingDown": "squat",
    "Walking": "walk",
    "WalkTogether": "walk",
    "WakingDog": "walk",
    "Waiting": "stand",
    "Phoning": "stand",
    "Purchases": "reach",
    "Greeting": "reach",
    "Directions": "reach",
    "Posing": "dance",
}
_FROM_SMPL = {
    "pelvis": "pelvis",
    "torso": "spine2",
    "toes": "foot",
    "toe_tip": "foot",
    "thumb": "hand",
    "hand": "hand",
}


def write(folder: pathlib.Path, order: Order):
    """Writes about `order.people` pictures, in videos of four cameras and seven subjects."""
    (folder / "metadata.xml").write_text(_metadata(order.variety))
    record = functools.partial(_record, folder, order)
    order.run(record, recordings(order), "h36m", unit="recording")


def write_mosh(folder: pathlib.Path, order: Order):
    """Writes `S*/{sequence}_cam{c}_aligned.pkl`: `new_poses` at 10 Hz in camera axes, `betas`."""
    for subject, action, trial in recordings(order):
        take = _take(order, subject, action, trial)
        for number in range(len(CAMERA_IDS)):
            view = camera(number, order.variety)
            poses = np.stack([people.camera_pose(pose, view) for pose in take.poses])
            name = f"{_NAMES[subject, action, trial]}_cam{number}_aligned.pkl"
            mosh.dump(
                folder / f"S{subject}" / name,
                {"new_poses": poses[::STEP], "betas": take.shape},
            )


def recordings(order: Order) -> list[tuple[int, str, int]]:
    """(subject, action, trial) of all recordings, 30 per subject if there are enough pictures."""
    each = order.people / (len(SUBJECTS) * len(CAMERA_IDS) * 2)
    count = int(np.clip(each, 1, len(ACTIONS) * len(TRIALS)))
    # Trial by trial within an action if there are few, so that both protocols get some.
    chosen = list(itertools.product(ACTIONS, TRIALS))
    chosen = [chosen[int(k)] for k in np.linspace(0, len(chosen) - 1, count)]
    return [(subject, action, trial) for subject in SUBJECTS for action, trial in chosen]


def camera(number: int, variety: people.Variety = people.EVERYDAY):
    """The camera of index `number` in `CAMERA_IDS`, the same for all subjects."""
    azimuth = studio.in_front(np.deg2rad([130, 50, 230, 315][number]), variety)
    focal = (366.0 + number, 365.0 - number)
    return studio.ring_camera(azimuth, 0.6, 3.7, focal, (160.0 + number, 158.5 - number))


def to_32_points(person: people.Person | studio.Place) -> np.ndarray:
    """float64 [32, 3]: the points of `joints.H36M` in metres, camera axes."""
    return np.stack([_point(person, name) for name in joints.H36M.names]).astype(np.float64)


def _point(person, name):
    plain = name.replace("_left_copy", "").replace("_right_copy", "").removesuffix("_copy")
    if plain in joints.COCO_PLUS.names:
        return person.keypoints_m[joints.COCO_PLUS.index(plain)]
    if plain == "head":
        return person.keypoints_m[joints.COCO_PLUS.index("nose")]
    side = plain.split("_")[0]
    part = plain.removeprefix(f"{side}_") if side in ("left", "right") else plain
    smpl = _FROM_SMPL[part]
    if side in ("left", "right"):
        smpl = f"{side}_{smpl}"
    return person.joints_m[joints.SMPL.index(smpl)]


def _take(order, subject, action, trial):
    """The recording with a pose for every video frame."""
    pictures = order.people / (len(recordings(order)) * len(CAMERA_IDS))
    num_frames = STEP * (max(2, round(pictures)) - 1) + 1
    rng = order.rng(_STREAM, subject, ACTIONS.index(action), trial)
    shape = people.random_shape(order.rng(_STREAM, subject))
    # At 50 frames per second a short clip would hold too few poses, so a frame lasts 1/25 s.
    return studio.take(rng, shape, num_frames, FPS / 2, order.variety, _KINDS.get(action))


def _record(folder, order, recording):
    """One recording as all cameras see it."""
    subject, action, trial = recording
    take = _take(order, subject, action, trial)
    home = folder / f"S{subject}"
    views = [camera(number, order.variety) for number in range(len(CAMERA_IDS))]
    for number, (view, places) in enumerate(zip(views, studio.locate(take, views), strict=True)):
        name = f"{_NAMES[recording]}.{CAMERA_IDS[number]}"
        _write_positions(home / "MyPoseFeatures", name, view, places)
        stream = (subject, ACTIONS.index(action), trial, number)
        _write_video(home / "Videos" / f"{name}.mp4", order, take, view, stream)


def _write_positions(home, name, view, places):
    metres = np.stack([to_32_points(place) for place in places])
    pixels = metres[..., :2] / metres[..., 2:] * view.focal + view.principal_point
    _write_cdf(home / "D2_Positions" / f"{name}.cdf", pixels)
    _write_cdf(home / "D3_Positions_mono" / f"{name}.cdf", metres * studio.MILLIMETRES)


def _write_video(path, order, take, view, stream):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, SIZE[::-1])
    if not writer.isOpened():
        raise OSError(f"OpenCV cannot write {path}: is there an MPEG-4 encoder?")
    for frame in range(0, len(take.poses), STEP):
        rng = order.rng(_STREAM, *stream, frame)
        photo = studio.shoot(rng, take, frame, view, SIZE, order.variety)
        bgr = cv2.cvtColor(photo.image, cv2.COLOR_RGB2BGR)
        repeat = min(STEP, len(take.poses) - frame)
        for _ in range(repeat + (_EXTRA_FRAMES if repeat < STEP else 0)):
            writer.write(bgr)
    writer.release()


def _write_cdf(path, points):
    """`Pose` float32 [1, T, 32 * D]."""
    import cdflib

    path.parent.mkdir(parents=True, exist_ok=True)
    pose = points.reshape(1, len(points), -1).astype(np.float32)
    file = cdflib.cdfwrite.CDF(str(path), cdf_spec={"Majority": "row_major"}, delete=True)
    # Compressed variables would hold the time of day, as every gzip stream does.
    variable = {
        "Variable": "Pose",
        "Data_Type": file.CDF_FLOAT,
        "Num_Elements": 1,
        "Rec_Vary": True,
        "Dim_Sizes": list(pose.shape[1:]),
        "Compress": 0,
    }
    file.write_var(variable, var_data=pose)
    file.close()


def _metadata(variety):
    """metadata.xml: the names of all sequences, and `w0`: extrinsics per subject, intrinsics."""
    rows = [["", "", *(f"S{subject}" for subject in range(1, 12))]]
    for number, action in enumerate(ACTIONS):
        for trial in TRIALS:
            names = [_NAMES.get((subject, action, trial), "") for subject in range(1, 12)]
            rows.append([str(number + 2), str(trial + 1), *names])
    mapping = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    numbers = " ".join(f"{value:.9g}" for value in _camera_numbers(variety))
    cameras = "".join(f"<index2id>{name}</index2id>" for name in CAMERA_IDS)
    return (
        f"<metadata><mapping>{mapping}</mapping><dbcameras>{cameras}</dbcameras>"
        f"<w0>[{numbers}]</w0></metadata>\n"
    )


def _camera_numbers(variety):
    """float64 [300]: angles and centre (mm) by camera and subject, then f, c, and distortion."""
    extrinsic, intrinsic = np.zeros((4, 11, 6)), np.zeros((4, 9))
    for number in range(len(CAMERA_IDS)):
        view = camera(number, variety)
        extrinsic[number, :, :3] = Rotation.from_matrix(view.rotation).as_euler("XYZ")
        extrinsic[number, :, 3:] = -view.rotation.T @ view.translation * studio.MILLIMETRES
        intrinsic[number, :2], intrinsic[number, 2:4] = view.focal, view.principal_point
    return np.concatenate([extrinsic.ravel(), intrinsic.ravel()])

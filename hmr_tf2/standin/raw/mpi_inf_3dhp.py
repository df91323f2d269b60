"""MPI-INF-3DHP: S*/Seq*/ with imageFrames, annot.mat and camera.calibration."""

import functools
import itertools
import pathlib

import numpy as np

from hmr_tf2.standin import backgrounds, people
from hmr_tf2.standin.raw import mpi_inf_3dhp_testset, studio
from hmr_tf2.standin.raw.runner import Order, write_mat
from tfrecords_tools import joints

SUBJECTS = (1, 2, 3, 4, 5, 6, 7)
SEQUENCES = (1, 2)
NUM_CAMERAS = 14
# The cameras at chest height, whose frames the converters read.
USED_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
SIZE = (320, 320)
_STREAM = 4

_FROM_SMPL = {
    "spine": "spine1",
    "spine2": "spine2",
    "spine3": "spine3",
    "pelvis": "pelvis",
    "head": "head",
    "clavicle": "collar",
    "hand": "hand",
    "toe": "foot",
}


def write(folder: pathlib.Path, order: Order, subjects=SUBJECTS):
    """Writes about `order.people` pictures by subject, sequence and camera, and the test set."""
    places = list(itertools.product(subjects, SEQUENCES))
    num_frames = max(1, round(order.people / (len(places) * len(USED_CAMERAS))))
    jobs = []
    for subject, sequence in places:
        take = _take(order, subject, sequence, num_frames)
        home = folder / f"S{subject}" / f"Seq{sequence}"
        for camera in USED_CAMERAS:
            (home / "imageFrames" / f"video_{camera}").mkdir(parents=True)
        _write_annotations(home, take, order.variety)
        jobs += [
            (home, take, (subject, sequence), frame, camera)
            for frame in range(num_frames)
            for camera in USED_CAMERAS
        ]
    order.run(functools.partial(_picture, order), jobs, "mpi_inf_3dhp")
    mpi_inf_3dhp_testset.write(folder / mpi_inf_3dhp_testset.FOLDER, order)


def camera(number: int, variety: people.Variety = people.EVERYDAY):
    """Camera `number` of the studio, the same for all subjects."""
    ring = USED_CAMERAS.index(number) if number in USED_CAMERAS else None
    focal = (338.0 + number, 338.0 - number)
    middle = (SIZE[1] / 2 - 2 + number / 4, SIZE[0] / 2 + 1 - number / 4)
    if ring is None:
        return studio.ring_camera(number * 1.3, 2.4, 3.4, focal, middle)
    azimuth = studio.in_front(ring * np.pi / 4, variety)
    height = (0.1, 0.5, 0.3, -0.2)[ring % 4]
    return studio.ring_camera(azimuth, height, 3.2 + 0.1 * (ring % 3), focal, middle)


def to_28_points(person: people.Person | studio.Place) -> np.ndarray:
    """float64 [28, 3]: the points of `joints.MPI_INF_3DHP` in metres, camera axes."""
    return np.stack([_point(person, name) for name in joints.MPI_INF_3DHP.names])


def _point(person, name):
    def smpl(joint):
        return person.joints_m[joints.SMPL.index(joint)].astype(np.float64)

    side, _, part = name.rpartition("_")
    prefix = f"{side}_" if side in ("left", "right") else ""
    if name in joints.LSP.names:
        return person.keypoints_m[joints.COCO_PLUS.index(name)].astype(np.float64)
    if name == "spine4":
        return (smpl("spine3") + smpl("neck")) / 2
    if part == "foot":
        return (smpl(prefix + "ankle") + smpl(prefix + "foot")) / 2
    return smpl(prefix + _FROM_SMPL[part])


def _take(order, subject, sequence, num_frames):
    shape = people.random_shape(order.rng(_STREAM, subject))
    rng = order.rng(_STREAM, subject, sequence)
    return studio.medley(rng, shape, num_frames, order.variety)


def _picture(order, job):
    home, take, place, frame, number = job
    rng = order.rng(_STREAM, *place, frame, number)
    view = camera(number, order.variety)
    photo = studio.shoot(rng, take, frame, view, SIZE, order.variety)
    path = home / "imageFrames" / f"video_{number}" / f"frame_{frame + 1:06d}.jpg"
    path.write_bytes(backgrounds.jpeg(rng, photo.image))


def _write_annotations(home, take, variety):
    """Writes annot.mat (pixels, and millimetres in camera axes) and camera.calibration."""
    num_frames = len(take.poses)
    two, three = np.empty((NUM_CAMERAS, 1), object), np.empty((NUM_CAMERAS, 1), object)
    views = [camera(number, variety) for number in range(NUM_CAMERAS)]
    for number, (view, places) in enumerate(zip(views, studio.locate(take, views), strict=True)):
        metres = np.stack([to_28_points(place) for place in places])
        pixels = metres[..., :2] / metres[..., 2:] * view.focal + view.principal_point
        two[number, 0] = pixels.reshape(num_frames, -1)
        three[number, 0] = metres.reshape(num_frames, -1) * studio.MILLIMETRES
    content = {
        "annot2": two,
        "annot3": three,
        "univ_annot3": three,
        "frames": np.arange(num_frames)[:, None],
        "cameras": np.arange(NUM_CAMERAS)[None],
    }
    write_mat(home / "annot.mat", content)
    (home / "camera.calibration").write_text(_calibration(variety))


def _calibration(variety):
    lines = ["Skeletool Camera Calibration File V1.0"]
    for number in range(NUM_CAMERAS):
        view = camera(number, variety)
        intrinsic, extrinsic = np.eye(4), np.eye(4)
        intrinsic[[0, 1], [0, 1]] = view.focal
        intrinsic[:2, 2] = view.principal_point
        extrinsic[:3, :3] = view.rotation
        extrinsic[:3, 3] = view.translation * studio.MILLIMETRES
        lines += [
            f"name          {number}",
            "  sensor      10 10",
            f"  size        {SIZE[1]} {SIZE[0]}",
            "  animated    0",
            f"  intrinsic   {_numbers(intrinsic)} ",
            f"  extrinsic   {_numbers(extrinsic)} ",
            "  radial      0",
        ]
    return "\n".join(lines) + "\n"


def _numbers(matrix):
    return " ".join(f"{value:.8g}" for value in matrix.ravel())

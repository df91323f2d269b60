"""The test set of MPI-INF-3DHP: mpi_inf_3dhp_test_set/TS1 to TS6, of people not in S1 to S8."""

import functools
import pathlib

import numpy as np

from hmr_tf2.standin import backgrounds, people
from hmr_tf2.standin.raw import studio
from hmr_tf2.standin.raw.runner import Order
from tfrecords_tools import hdf5, joints

FOLDER = "mpi_inf_3dhp_test_set"
NUM_SEQUENCES = 6
NUM_ACTIVITIES = 7
SIZE = (320, 320)
_STREAM = 8
_FROM_SMPL = {"pelvis": "pelvis", "spine": "spine2", "head": "head"}


def write(folder: pathlib.Path, order: Order):
    """Writes a picture for every ten of the training set, and at least one per sequence."""
    num_frames = max(1, round(order.people / (10 * NUM_SEQUENCES)))
    jobs = []
    for sequence in range(1, NUM_SEQUENCES + 1):
        rng = order.rng(_STREAM, sequence)
        take = studio.medley(rng, people.random_shape(rng), num_frames, order.variety)
        home = folder / f"TS{sequence}"
        (home / "imageSequence").mkdir(parents=True)
        _write_annotations(home, take, sequence, order.variety)
        jobs += [(home, take, sequence, frame) for frame in range(num_frames)]
    order.run(functools.partial(_picture, order), jobs, "mpi_inf_3dhp test")


def camera(sequence: int, variety: people.Variety = people.EVERYDAY):
    """The one camera of test sequence `sequence`."""
    azimuth = studio.in_front(2.4 * sequence, variety)
    middle = (SIZE[1] / 2 + sequence - 3, SIZE[0] / 2 + 2 - sequence)
    return studio.ring_camera(azimuth, 0.1 * sequence, 3.3, 345.0, middle)


def to_17_points(person: people.Person | studio.Place) -> np.ndarray:
    """float64 [17, 3]: the points of `joints.MPI_INF_3DHP_TEST` in metres, camera axes."""
    points = []
    for name in joints.MPI_INF_3DHP_TEST.names:
        if name in joints.LSP.names:
            points.append(person.keypoints_m[joints.COCO_PLUS.index(name)])
        else:
            points.append(person.joints_m[joints.SMPL.index(_FROM_SMPL[name])])
    return np.stack(points).astype(np.float64)


def _picture(order, job):
    home, take, sequence, frame = job
    rng = order.rng(_STREAM, sequence, frame)
    view = camera(sequence, order.variety)
    photo = studio.shoot(rng, take, frame, view, SIZE, order.variety)
    path = home / "imageSequence" / f"img_{frame + 1:06d}.jpg"
    path.write_bytes(backgrounds.jpeg(rng, photo.image))


def _write_annotations(home, take, sequence, variety):
    """Writes annot_data.mat, in HDF5 as MATLAB 7.3 does; every frame is valid."""
    view, count = camera(sequence, variety), len(take.poses)
    (places,) = studio.locate(take, [view])
    metres = np.stack([to_17_points(place) for place in places])[:, None]
    activities = 1 + (sequence + np.arange(count)) % NUM_ACTIVITIES
    with hdf5.new_file(home / "annot_data.mat") as file:
        file["annot2"] = metres[..., :2] / metres[..., 2:] * view.focal + view.principal_point
        file["annot3"] = metres * studio.MILLIMETRES
        file["univ_annot3"] = metres * studio.MILLIMETRES
        file["valid_frame"] = np.ones((count, 1))
        file["bb_crop"] = np.zeros((count, 34))
        file["activity_annotation"] = activities[:, None].astype(float)

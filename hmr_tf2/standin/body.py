"""A body in the format of SMPL, made by this project: no scan and no licensed file went into it.

    path = write_model_files("models")   # models/neutral_smpl_with_cocoplus_reg.pkl and the mean

The mesh is an asset (`make_body` models it); weights, shapes, correctives and regressors are
computed from it in about a second.
"""

import functools
import pathlib
import pickle

import numpy as np
import scipy.sparse as sp
from scipy.optimize import nnls

from hmr_tf2.standin import blend_shapes, skeleton
from hmr_tf2.standin.remesh import vertex_normals
from hmr_tf2.standin.skinning_weights import skinning_weights
from tfrecords_tools import hdf5, joints
from tfrecords_tools.files import replacing

ASSET = pathlib.Path(__file__).parent / "assets" / "body.npz"
MODEL_NAME = "neutral_smpl_with_cocoplus_reg.pkl"
MEAN_NAME = "neutral_smpl_mean_params.h5"


@functools.lru_cache(maxsize=1)
def load_mesh():
    """The template: vertices float64 [6890, 3], faces int64 [13776, 3], mirror int64 [6890]."""
    with np.load(ASSET) as asset:
        vertices = asset["vertices"].astype(np.float64)
        return vertices, asset["faces"].astype(np.int64), asset["mirror"].astype(np.int64)


def make_body() -> dict:
    """The body as a dict with SMPL's keys, shapes and number types.

    Returns:
        v_template [6890, 3], shapedirs [6890, 3, 10], posedirs [6890, 3, 207], weights
        [6890, 24], J_regressor sparse [24, 6890], cocoplus_regressor sparse [19, 6890],
        kintree_table int64 [2, 24], f uint32 [13776, 3]. Metres.
    """
    vertices, faces, mirror = load_mesh()
    weights = skinning_weights(vertices, faces, mirror)
    regressor = joint_regressor(vertices, mirror, skeleton.rest_joints(), joints.SMPL)
    keypoints = joint_regressor(vertices, mirror, skeleton.rest_keypoints(), joints.COCO_PLUS)
    normals = vertex_normals(vertices, faces)
    return {
        "v_template": vertices.copy(),
        "shapedirs": blend_shapes.shape_directions(vertices, normals, faces, weights),
        "posedirs": blend_shapes.pose_directions(vertices, regressor @ vertices, weights),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": skeleton.kintree_table(),
        "cocoplus_regressor": keypoints,
        "f": faces.astype(np.uint32),
    }


def joint_regressor(vertices, mirror, points, joint_set, num_near=80) -> sp.csc_matrix:
    """Sparse [K, V] with rows >= 0 that sum to one and average vertices to `points` [K, 3]."""
    rows = np.zeros((len(points), len(vertices)))
    swap = joint_set.flipped
    for k, point in enumerate(points):
        if swap[k] >= k:
            rows[k] = _mean_weights(vertices, point, num_near)
            if swap[k] == k:
                rows[k] = (rows[k] + rows[k][mirror]) / 2
            else:
                rows[swap[k]] = rows[k][mirror]
    return sp.csc_matrix(rows)


def mean_parameters() -> dict:
    """`pose` [72] and `shape` [10] of a person who stands relaxed, arms hanging."""
    pose = np.zeros((24, 3))
    hanging = {
        "left_collar": (0, 0, -0.10),
        "left_shoulder": (0.05, 0, -1.05),
        "left_elbow": (0, -0.30, 0),
        "left_hip": (-0.03, 0, 0.03),
        "left_knee": (0.08, 0, 0),
        "left_ankle": (-0.05, 0, 0),
    }
    for name, turn in hanging.items():
        pose[skeleton.index(name)] = turn
        mirrored = np.array(turn) * [1, -1, -1]
        pose[skeleton.index(name.replace("left", "right"))] = mirrored
    return {"pose": pose.ravel(), "shape": np.zeros(10)}


def write_model_files(folder) -> str:
    """Writes the two model files that a run needs into `folder`.

    Returns:
        The path of the body, `neutral_smpl_with_cocoplus_reg.pkl`; the mean is beside it.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path, mean = folder / MODEL_NAME, folder / MEAN_NAME
    with hdf5.new_file(mean) as file:
        for key, value in mean_parameters().items():
            file[key] = value
    # The body comes last, so that a folder that has it also has the mean.
    with replacing(path) as partial, open(partial, "wb") as file:
        pickle.dump(make_body(), file, protocol=2)
    return str(path)


def _mean_weights(vertices, point, num_near):
    """Weights >= 0 of nearby vertices, as even as possible, whose mean is `point`.

    The vertices closest to the point in every direction enclose it, so that it is reached exactly.
    """
    offset = vertices - point
    distance = np.linalg.norm(offset, axis=1)
    directions = offset / np.maximum(distance, 1e-9)[:, None]
    # One near vertex for each of many directions: a ring around the limb, not a patch on it.
    wanted = _sphere(num_near)
    score = directions @ wanted.T - 1.5 * distance[:, None] / (distance.min() + 0.05)
    near = np.unique(score.argmax(0))
    # Even weights are a wish; that they sum to one and that their mean is `point` is demanded.
    strong = 1e3
    system = np.vstack(
        [np.eye(len(near)), strong * np.ones(len(near)), strong * 20 * offset[near].T]
    )
    target = np.concatenate([np.full(len(near), 1 / len(near)), [strong], np.zeros(3)])
    row = np.zeros(len(vertices))
    row[near] = nnls(system, target)[0]
    return row / row.sum()


def _sphere(count):
    """float64 [count, 3]: directions spread evenly over the sphere, along a golden spiral."""
    k = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * k / count), np.pi * (1 + 5**0.5) * k
    return np.stack(
        [np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], axis=1
    )

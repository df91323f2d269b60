"""Shapes and poses the stand-in body quickly: SMPL's function in NumPy and numba, float32.

`hmr_tf2.smpl` holds the model that is trained; this one makes pictures in many processes at once
and must start without TensorFlow. A test holds both to the same vertices.
"""

import dataclasses
import functools

import numpy as np

from hmr_tf2.standin import body, skeleton
from hmr_tf2.visualization.compiled import compiled


@dataclasses.dataclass(frozen=True)
class Posed:
    """`vertices` [6890, 3], `joints` [24, 3], `keypoints` [19, 3]: float32, metres."""

    vertices: np.ndarray
    joints: np.ndarray
    keypoints: np.ndarray


class Poser:
    """Poses a body file's content; see `pose`."""

    def __init__(self, model: dict):
        self.faces = np.ascontiguousarray(model["f"], np.int32)
        self._template = model["v_template"].astype(np.float32)
        self._shapes = np.ascontiguousarray(model["shapedirs"], np.float32)
        self._parents = np.array(skeleton.PARENTS)
        dense = np.asarray(model["J_regressor"].todense())
        self._rest_joints = (dense @ model["v_template"]).astype(np.float32)
        self._joint_shapes = np.einsum("jv,vcs->jcs", dense, model["shapedirs"]).astype(np.float32)
        self._keypoints = model["cocoplus_regressor"].tocsr().astype(np.float32)
        weights = np.asarray(model["weights"])
        self._bones = np.argsort(-weights, axis=1, kind="stable")[:, :4].astype(np.int32)
        self._weights = np.take_along_axis(weights, self._bones, 1).astype(np.float32)
        self._correctives = _sparse_correctives(model["posedirs"])

    def pose(self, shape: np.ndarray, pose: np.ndarray) -> Posed:
        """The body of `shape` [10] in `pose` [72] (axis-angle, root first)."""
        shape = np.asarray(shape, np.float32)
        turns = rotation_matrices(np.asarray(pose, np.float64).reshape(24, 3))
        joints = self._rest_joints + self._joint_shapes @ shape
        transforms, posed_joints = _chain(joints, turns, self._parents)
        features = (turns[1:] - np.eye(3)).reshape(23, 9).astype(np.float32)
        vertices = _skin(
            self._template, self._shapes, shape, *self._correctives, features,
            self._bones, self._weights, transforms,
        )  # fmt: skip
        return Posed(vertices, posed_joints.astype(np.float32), self._keypoints @ vertices)


@functools.lru_cache(maxsize=1)
def standin_poser() -> Poser:
    """The poser of `body.make_body()`, made once a process."""
    return Poser(body.make_body())


def rotation_matrices(axis_angle: np.ndarray) -> np.ndarray:
    """float64 [..., 3, 3] of axis-angle vectors [..., 3]."""
    angle = np.linalg.norm(axis_angle + 1e-8, axis=-1)[..., None]
    x, y, z = np.moveaxis(axis_angle / angle, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    sine, cosine = np.sin(angle)[..., None], np.cos(angle)[..., None]
    return np.eye(3) + sine * cross + (1 - cosine) * cross @ cross


def axis_angle(matrices: np.ndarray) -> np.ndarray:
    """float64 [..., 3]: the inverse of `rotation_matrices`, angles up to pi."""
    from scipy.spatial.transform import Rotation

    flat = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec()
    return flat.reshape(*matrices.shape[:-2], 3)


def _chain(joints, turns, parents):
    """float32 [24, 3, 4] rest-to-posed transforms and float64 [24, 3] posed joints."""
    world, place = np.empty((24, 3, 3)), np.empty((24, 3))
    world[0], place[0] = turns[0], joints[0]
    for j in range(1, 24):
        p = parents[j]
        world[j] = world[p] @ turns[j]
        place[j] = place[p] + world[p] @ (joints[j] - joints[p])
    shift = place - np.einsum("jab,jb->ja", world, joints)
    return np.concatenate([world, shift[..., None]], axis=2).astype(np.float32), place


def _sparse_correctives(posedirs):
    """Correctives as rows (vertex, joint) with float32 [3, 9] each, sorted by vertex."""
    by_joint = posedirs.reshape(len(posedirs), 3, 23, 9).transpose(0, 2, 1, 3)
    used = np.abs(by_joint).max((2, 3)) > 2e-5
    vertex, joint = np.nonzero(used)
    first = np.searchsorted(vertex, np.arange(len(posedirs) + 1)).astype(np.int32)
    return first, joint.astype(np.int32), by_joint[used].astype(np.float32)


@compiled
def _skin(template, shapes, shape, first, joint, directions, features, bones, weights, transforms):
    out = np.empty_like(template)
    for v in range(template.shape[0]):
        x, y, z = template[v, 0], template[v, 1], template[v, 2]
        for s in range(shape.shape[0]):
            x += shapes[v, 0, s] * shape[s]
            y += shapes[v, 1, s] * shape[s]
            z += shapes[v, 2, s] * shape[s]
        for row in range(first[v], first[v + 1]):
            for k in range(9):
                feature = features[joint[row], k]
                x += directions[row, 0, k] * feature
                y += directions[row, 1, k] * feature
                z += directions[row, 2, k] * feature
        for a in range(3):
            total = np.float32(0)
            for b in range(4):
                t = transforms[bones[v, b], a]
                total += weights[v, b] * (t[0] * x + t[1] * y + t[2] * z + t[3])
            out[v, a] = total
    return out

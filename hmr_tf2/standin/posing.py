"""Shapes and poses the stand-in body quickly: SMPL's function in NumPy and numba, float32.

`hmr_tf2.smpl` holds the model that is trained; this one makes pictures in many processes at once
and must start without TensorFlow. A test makes sure that both give the same vertices.
"""

import dataclasses
import functools

import numpy as np

from hmr_tf2.compiled import compiled
from hmr_tf2.standin import body, skeleton


@dataclasses.dataclass(frozen=True)
class Posed:
    """`vertices` [6890, 3], `joints` [24, 3], `keypoints` [19, 3]: float32, metres."""

    vertices: np.ndarray
    joints: np.ndarray
    keypoints: np.ndarray


class Poser:
    """Poses the content of a body file; see `pose`."""

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
        transforms, posed_joints = _chain(joints.astype(np.float64), turns, self._parents)
        features = (turns[1:] - np.eye(3)).reshape(23, 9).astype(np.float32)
        vertices = _skin(
            self._template,
            self._shapes,
            shape,
            *self._correctives,
            features,
            self._bones,
            self._weights,
            transforms,
        )
        return Posed(vertices, posed_joints.astype(np.float32), self._keypoints @ vertices)


@functools.lru_cache(maxsize=1)
def standin_poser() -> Poser:
    """The poser of `body.make_body()`, made once per process."""
    return Poser(body.make_body())


def rotation_matrices(axis_angle: np.ndarray) -> np.ndarray:
    """float64 [..., 3, 3] of axis-angle vectors [..., 3]."""
    vectors = np.ascontiguousarray(axis_angle, np.float64)
    return _rodrigues(vectors.reshape(-1, 3)).reshape(*vectors.shape, 3)


def axis_angle(matrices: np.ndarray) -> np.ndarray:
    """float64 [..., 3]: the inverse of `rotation_matrices`, angles up to pi."""
    from scipy.spatial.transform import Rotation

    flat = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec()
    return flat.reshape(*matrices.shape[:-2], 3)


@compiled
def _rodrigues(vectors):
    """float64 [N, 3, 3] of axis-angle vectors float64 [N, 3]."""
    out = np.empty((vectors.shape[0], 3, 3))
    for n in range(vectors.shape[0]):
        a, b, c = vectors[n, 0], vectors[n, 1], vectors[n, 2]
        # The shift keeps the angle from zero, as in akanazawa/hmr (batch_rodrigues).
        angle = np.sqrt((a + 1e-8) ** 2 + (b + 1e-8) ** 2 + (c + 1e-8) ** 2)
        x, y, z = a / angle, b / angle, c / angle
        s, t = np.sin(angle), 1.0 - np.cos(angle)
        xy, xz, yz = t * x * y, t * x * z, t * y * z
        out[n, 0] = 1 - t * (y * y + z * z), xy - s * z, xz + s * y
        out[n, 1] = xy + s * z, 1 - t * (x * x + z * z), yz - s * x
        out[n, 2] = xz - s * y, yz + s * x, 1 - t * (x * x + y * y)
    return out


@compiled
def _chain(joints, turns, parents):
    """float32 [24, 3, 4] rest-to-posed transforms and float64 [24, 3] posed joints."""
    world, place = np.empty((24, 3, 3)), np.empty((24, 3))
    world[0], place[0] = turns[0], joints[0]
    for j in range(1, 24):
        p = parents[j]
        for a in range(3):
            place[j, a] = place[p, a]
            for b in range(3):
                place[j, a] += world[p, a, b] * (joints[j, b] - joints[p, b])
                world[j, a, b] = 0.0
                for c in range(3):
                    world[j, a, b] += world[p, a, c] * turns[j, c, b]
    transforms = np.empty((24, 3, 4), np.float32)
    for j in range(24):
        for a in range(3):
            shift = place[j, a]
            for b in range(3):
                transforms[j, a, b] = world[j, a, b]
                shift -= world[j, a, b] * joints[j, b]
            transforms[j, a, 3] = shift
    return transforms, place


def _sparse_correctives(posedirs):
    """Correctives as rows (vertex, joint) with float32 [3, 9] each, sorted by vertex."""
    by_joint = posedirs.reshape(len(posedirs), 3, 23, 9).transpose(0, 2, 1, 3)
    used = np.abs(by_joint).max((2, 3)) > 2e-5  # metres; less than that is not visible
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

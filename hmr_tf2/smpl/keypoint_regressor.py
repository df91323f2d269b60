"""Makes the regressor of HMR's keypoints for an SMPL file that comes without one.

SMPL's own files have 24 joints, and HMR's keypoints are those of LSP and five points of the face.
Other projects ship regressors of such points: each row averages vertices to a keypoint. Their rows
are named here, those that HMR has are taken, and what is missing is a joint of SMPL's own or a
single vertex of its mesh.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from tfrecords_tools import array_files, file_kinds, joints
from tfrecords_tools.joints import JointSet
from tfrecords_tools.paths import local_copy, path_of
from tfrecords_tools.pickles import safe_pickle
from tfrecords_tools.pickles.chumpy_array import ChumpyArray

# Number of rows -> what they may be. Where several fit, the body tells which.
ORDERS: dict[int, tuple[JointSet, ...]] = {
    len(joints.SPIN_EXTRA): (joints.SPIN_EXTRA,),
    len(joints.LSP): (joints.LSP,),
    len(joints.SPIN_H36M): (joints.SPIN_H36M, joints.H36M_17, joints.COCO),
    len(joints.COCO_PLUS): (joints.COCO_PLUS,),
    # The video model's: six points of the feet follow those of COCO+.
    25: (joints.COCO_PLUS,),
}
# Names under which a file may hold a regressor beside other arrays.
KEYS = (
    "cocoplus_regressor",
    "keypoint_regressor",
    "J_regressor_extra",
    "J_regressor_h36m",
    "J_regressor_h36m_correct",
)
ACCEPTED = (
    "--keypoint_regressor accepts J_regressor_extra.npy [9, V] and J_regressor_h36m.npy [17, V] "
    "as SPIN ships them, and the keypoints of LSP [14, V] or COCO+ [19, V], as .npy, .npz or "
    f".pkl; a file of several arrays names it {', '.join(KEYS[:-1])}."
)
# These joints of SMPL are those of LSP; its hips and neck lie elsewhere.
SMPL_JOINTS = tuple(
    f"{side}_{part}"
    for side in ("right", "left")
    for part in ("ankle", "knee", "shoulder", "elbow", "wrist")
)
# Vertices of SMPL's mesh, as SPIN and smplx have them.
FACE_VERTICES = {
    "nose": 332,
    "right_eye": 6260,
    "left_eye": 2800,
    "right_ear": 4071,
    "left_ear": 583,
}
NUM_SMPL_VERTICES = 6890

# Another order of the rows must bring them this much closer to SMPL's joints to be taken.
_CLEARLY = 0.7
# Of the body's height: beyond it a keypoint is not where its name says.
_FAR = 0.15
# Weights of a row that sum to 1 average vertices; others move the keypoint towards the origin or
# away from it.
_SUMS, _EVEN = (0.5, 1.5), 0.05
_SHOWN = 10


def load_keypoint_regressor(
    path: str | os.PathLike, body: Mapping[str, Any], num_keypoints: int = len(joints.COCO_PLUS)
) -> np.ndarray:
    """The rows of the first keypoints of COCO+, from a file of another project's regressor.

    Args:
        path: .npy, .npz or .pkl of an array or sparse matrix [R, V], see `ACCEPTED`.
        body: v_template [V, 3] and J_regressor [24, V] of the SMPL file, as `load_body` returns
            them.
        num_keypoints: 14 (the keypoints of LSP) or 19 (all).

    Returns:
        float64 [num_keypoints, V].

    Raises:
        OSError: the file cannot be read.
        ValueError: it is of another kind, damaged, for another mesh, or lacks keypoints that
            cannot be made otherwise; the message names them.
    """
    path = path_of(path)
    matrix = _rows(path, _read(path), len(body["v_template"]))
    order = _order_of(matrix, body)
    names = joints.COCO_PLUS.names[:num_keypoints]
    regressor = _assembled(path, names, order, matrix, body)
    _check_sums(path, names, regressor)
    _warn_of_places(path, names, regressor, body)
    logging.log_first_n(
        logging.INFO,
        "The keypoints are those of %s (%d rows), not those of HMR's authors: errors against "
        "labelled keypoints and joints will differ slightly from the authors'.",
        1,
        path,
        len(matrix),
    )
    return regressor


def _read(path) -> Any:
    """The array or sparse matrix that a file holds."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no keypoint regressor {path}. {ACCEPTED}")
    with local_copy(path) as local:
        kind = file_kinds.kind_of_file(local)
        if kind == file_kinds.NPY:
            return array_files.load_npy(local)
        if kind == file_kinds.NPZ:
            content: Any = array_files.load_npz(local)[0]
            found = _sparse(path, content)
            return _only_matrix(path, content) if found is None else found
        if kind not in (None, file_kinds.PICKLE):
            wanted = "the keypoint regressor (such as SPIN's J_regressor_extra.npy)"
            raise ValueError(
                f"{path} is {kind}, not a keypoint regressor. {file_kinds.remedy(kind, wanted)}"
            )
        content = safe_pickle.load(local)
        return _only_matrix(path, content) if isinstance(content, dict) else content


def _sparse(path, content: dict) -> Any:
    try:
        return array_files.sparse_matrix(content)
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path} cannot be read as a sparse matrix: {error}") from error


def _only_matrix(path, content: dict) -> Any:
    """The regressor among several arrays, by its name; or the only one there is."""
    known = [key for key in KEYS if key in content]
    if len(known) == 1:
        return content[known[0]]
    if not known and len(content) == 1:
        return next(iter(content.values()))
    listed = ", ".join(sorted(str(key)[:40] for key in list(content)[:_SHOWN])) or "nothing"
    cause = f"holds several regressors ({', '.join(known)})" if known else f"holds {listed}"
    raise ValueError(f"{path} {cause}, so that it is not clear what to take. {ACCEPTED}")


def _rows(path, value: Any, num_vertices: int) -> np.ndarray:
    """float64 [R, V] with R a number of rows that has a meaning; a transposed matrix is turned."""
    is_sparse = hasattr(value, "tocsc")
    if not is_sparse and not isinstance(value, np.ndarray | ChumpyArray):
        raise ValueError(
            f"{path} holds an object of type {type(value).__name__}, not a matrix. {ACCEPTED}"
        )
    matrix = value if is_sparse else np.asarray(value)
    shape = matrix.shape
    if len(shape) == 2 and shape[0] == num_vertices and shape[1] in ORDERS:
        matrix, shape = matrix.T, shape[::-1]
    if len(shape) == 2 and shape[0] == len(joints.SMPL):
        raise ValueError(
            f"{path} has {shape[0]} rows: these are SMPL's own joints, which every SMPL file has, "
            f"and not keypoints. {ACCEPTED}"
        )
    if len(shape) != 2 or shape[0] not in ORDERS:
        raise ValueError(f"{path} has the shape {tuple(shape)}. {ACCEPTED}")
    if shape[1] != num_vertices:
        raise ValueError(
            f"{path} is for a mesh of {shape[1]} vertices, and the SMPL file has {num_vertices}: "
            "the two must be of the same mesh."
        )
    if matrix.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds values of type {matrix.dtype}, not real numbers.")
    dense = np.asarray(matrix.toarray() if is_sparse else matrix, np.float64)
    if not np.isfinite(dense).all():
        raise ValueError(f"{path} holds NaN or infinity.")
    return dense


def _order_of(matrix: np.ndarray, body: Mapping[str, Any]) -> JointSet:
    """Which keypoint each row is: of the orders that fit, the one that suits the body.

    Files of one size come in several orders, which differ in which leg is first.
    """
    first, *others = ORDERS[len(matrix)]
    if not others:
        return first
    points = matrix @ body["v_template"]
    own = _smpl_joints(body)

    def distance(order):
        shared = [name for name in order.names if name in own]
        return np.mean([_apart(points[order.index(name)], own[name]) for name in shared])

    best = min(others, key=distance)
    return best if distance(best) < _CLEARLY * distance(first) else first


def _assembled(path, names, order: JointSet, matrix, body) -> np.ndarray:
    """A row for each name: the file's, else of SMPL's joint, else of a vertex of its mesh."""
    num_vertices = matrix.shape[1]
    own = body["J_regressor"]
    own = np.asarray(own.todense() if hasattr(own, "todense") else own, np.float64)
    rows, missing = [], []
    for name in names:
        if name in order.names:
            rows.append(matrix[order.index(name)])
        elif name in SMPL_JOINTS:
            rows.append(own[joints.SMPL.index(name)])
        elif name in FACE_VERTICES and num_vertices == NUM_SMPL_VERTICES:
            rows.append(np.eye(1, num_vertices, FACE_VERTICES[name])[0])
        else:
            missing.append(name)
    if missing:
        raise ValueError(_lacking(path, missing, order, num_vertices))
    return np.stack(rows)


def _lacking(path, missing: Sequence[str], order: JointSet, num_vertices: int) -> str:
    cause = f"{path} lacks {', '.join(missing)}"
    if order is joints.COCO:
        return f"{cause}: its rows are the keypoints of COCO. {ACCEPTED}"
    return (
        f"{cause}, which are single vertices of SMPL's mesh of {NUM_SMPL_VERTICES}; the body has "
        f"{num_vertices} vertices, so that it takes a regressor of all {len(joints.COCO_PLUS)} "
        "keypoints of COCO+, or --joint_type=lsp, which has no points of the face."
    )


def _check_sums(path, names: Sequence[str], regressor: np.ndarray) -> None:
    sums = dict(zip(names, regressor.sum(axis=1), strict=True))
    wrong = [name for name, total in sums.items() if not _SUMS[0] <= total <= _SUMS[1]]
    if wrong:
        raise ValueError(
            f"{path}: the weights of a keypoint must sum to about 1; those of {wrong[0]} sum to "
            f"{sums[wrong[0]]:.4g}{_and_more(wrong)}."
        )
    uneven = [name for name, total in sums.items() if abs(total - 1) > _EVEN]
    if uneven:
        logging.warning(
            "%s: the weights of a keypoint should sum to 1; those of %s sum to %.3f%s.",
            path,
            uneven[0],
            sums[uneven[0]],
            _and_more(uneven),
        )


def _and_more(names: Sequence[str]) -> str:
    more = ", ".join(names[1:])
    return f" (likewise {more})" if more else ""


def _warn_of_places(path, names, regressor, body) -> None:
    """Warns of keypoints that are not where their names say: of another order, or another mesh."""
    points = dict(zip(names, regressor @ body["v_template"], strict=True))
    own = _smpl_joints(body)
    allowed = _FAR * np.ptp(body["v_template"], axis=0).max()
    astray = []
    for name, point in points.items():
        joint = own.get("head" if name in FACE_VERTICES else name)
        if joint is None:  # the top of the head is no joint
            continue
        apart = _apart(point, joint)
        side, _, part = name.partition("_")
        other = own.get(f"{'right' if side == 'left' else 'left'}_{part}")
        swapped = name in own and other is not None and _apart(point, other) < 0.5 * apart
        if apart > allowed or swapped:
            astray.append(name)
    if astray:
        logging.warning(
            "%s: on this body, keypoints lie elsewhere than their names say: %s. The rows may be "
            "in another order, or the two files are of different meshes: expect wrong keypoints.",
            path,
            ", ".join(astray),
        )


def _smpl_joints(body: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """SMPL's joints at rest by name, [3]."""
    return dict(zip(joints.SMPL.names, body["J_regressor"] @ body["v_template"], strict=True))


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b))

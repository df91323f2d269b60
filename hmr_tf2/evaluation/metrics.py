"""Errors of joints and keypoints, for any number of skeletons at once, in the input's unit."""

import numpy as np

from hmr_tf2.compiled import compiled
from hmr_tf2.evaluation import similarity
from hmr_tf2.evaluation.similarity import compute_similarity_transform
from tfrecords_tools import joints

__all__ = [
    "AUC_THRESHOLDS_MM",
    "PCK_THRESHOLD_MM",
    "area_under_pck",
    "compute_errors",
    "compute_similarity_transform",
    "head_lengths",
    "joint_errors",
    "keypoint_errors",
    "lsp_millimetres",
    "percentage_of_correct",
    "torso_lengths",
]

_RIGHT_HIP, _LEFT_HIP = joints.LSP.indices(["right_hip", "left_hip"])
_TORSO = list(joints.LSP.indices(["left_shoulder", "right_hip"]))
_HEAD = list(joints.LSP.indices(["neck", "head_top"]))

MM_PER_M = 1000.0

# Values of MPI-INF-3DHP's own evaluation (mpii_compute_3d_pck.m).
PCK_THRESHOLD_MM = 150.0
AUC_THRESHOLDS_MM = np.arange(0.0, 151.0, 5.0)


def lsp_millimetres(joints3d: np.ndarray) -> np.ndarray:
    """The joints at which errors are measured, in the unit in which they are reported.

    Args:
        joints3d: float [M, K, 3], metres; the first 14 of K are in LSP order.

    Returns:
        float64 [M, 14, 3], millimetres.
    """
    return MM_PER_M * np.asarray(joints3d, np.float64)[:, : len(joints.LSP)]


def joint_errors(gt3ds: np.ndarray, preds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The error of every joint, in the unit of the input.

    Args:
        gt3ds: float [M, 14, 3] in LSP order.
        preds: float [M, 14, 3].

    Returns:
        errors [M, 14] after the mid-points of the hips of both are moved to the origin, and errors
        [M, 14] after the best similarity (see `compute_similarity_transform`, also for degenerate
        skeletons). Both are NaN for a skeleton with NaN or infinity, and for no other.

    Raises:
        ValueError: the shapes differ or are not [M, 14, 3].
    """
    gt3ds, preds = np.asarray(gt3ds, np.float64), np.asarray(preds, np.float64)
    if gt3ds.shape != preds.shape or gt3ds.shape[1:] != (len(joints.LSP), 3):
        raise ValueError(
            f"gt3ds and preds must both be [M, {len(joints.LSP)}, 3]; "
            f"got {list(gt3ds.shape)} and {list(preds.shape)}."
        )
    errors, errors_pa = np.empty(gt3ds.shape[:2]), np.empty(gt3ds.shape[:2])
    _fill_joint_errors(gt3ds, preds, errors, errors_pa)
    return errors, errors_pa


@compiled
def _fill_joint_errors(gt3ds, preds, errors, errors_pa):
    """Works block by block, so that no array as large as the input is made on the way."""
    scratch = similarity.new_scratch()
    shape = (similarity.BLOCK, 14, 3)
    truth, found, aligned = np.empty(shape), np.empty(shape), np.empty(shape)
    for start in range(0, len(gt3ds), similarity.BLOCK):
        count = min(similarity.BLOCK, len(gt3ds) - start)
        for m in range(count):
            _align_by_pelvis(gt3ds, start + m, truth, m)
            _align_by_pelvis(preds, start + m, found, m)
        # A similarity removes the means anyway, so the copies with the hips aligned do as well.
        similarity.move(found[:count], truth[:count], aligned[:count], scratch)
        for m in range(count):
            # If one joint is not finite, none of the skeleton's can be trusted.
            is_finite = np.isfinite(aligned[m, 0, 0])
            for k in range(14):
                error = _distance(truth, found, m, k)
                errors[start + m, k] = error if is_finite else np.nan
                errors_pa[start + m, k] = _distance(truth, aligned, m, k)


@compiled
def _align_by_pelvis(skeletons, number, aligned, m):
    for i in range(3):
        hips = skeletons[number, _RIGHT_HIP, i] + skeletons[number, _LEFT_HIP, i]
        for k in range(14):
            aligned[m, k, i] = skeletons[number, k, i] - hips / 2.0


@compiled
def _distance(a, b, m, k):
    x, y, z = a[m, k, 0] - b[m, k, 0], a[m, k, 1] - b[m, k, 1], a[m, k, 2] - b[m, k, 2]
    return np.sqrt(x * x + y * y + z * z)


def compute_errors(gt3ds: np.ndarray, preds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean joint errors of each skeleton, MPJPE [M] and PA-MPJPE [M]; see `joint_errors`.

    Source: akanazawa/hmr src/benchmark/eval_util.py.
    """
    errors, errors_pa = joint_errors(gt3ds, preds)
    return errors.mean(1), errors_pa.mean(1)


def percentage_of_correct(errors: np.ndarray, threshold: float) -> float:
    """PCK: the percentage of the errors that are below `threshold`.

    Args:
        errors: float, any shape; NaN is left out, and if nothing else is left the result is NaN.
        threshold: in the unit of `errors`; an error equal to it does not count as below.
    """
    known = errors[~np.isnan(errors)]
    return 100.0 * float((known < threshold).mean()) if known.size else float("nan")


def area_under_pck(errors: np.ndarray, thresholds: np.ndarray = AUC_THRESHOLDS_MM) -> float:
    """AUC: the mean of the PCK at `thresholds`, in per cent.

    With the thresholds of MPI-INF-3DHP, 0 to 150 mm in steps of 5, a perfect prediction reaches
    30/31 = 96.8 %, since no error is below the threshold of 0.
    """
    return float(np.mean([percentage_of_correct(errors, threshold) for threshold in thresholds]))


def keypoint_errors(keypoints: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Distances of 2-D keypoints.

    Args:
        keypoints: float [M, K, 3]; x, y, visibility.
        found: float [M, L, 2], of which the first min(K, L) points are compared.

    Returns:
        float64 [M, min(K, L)]; NaN where the keypoint is invisible.
    """
    count = min(keypoints.shape[1], found.shape[1])
    keypoints, found = (np.asarray(x, np.float64)[:, :count] for x in (keypoints, found))
    return np.where(keypoints[..., 2] > 0, _distances(keypoints[..., :2], found), np.nan)


def torso_lengths(keypoints: np.ndarray) -> np.ndarray:
    """Left shoulder to right hip of keypoints, float [M, K, 3] to [M]; NaN if one is invisible."""
    return _limb_lengths(keypoints, _TORSO)


def head_lengths(keypoints: np.ndarray) -> np.ndarray:
    """Neck to head top of keypoints, float [M, K, 3] to [M]; NaN if one is invisible."""
    return _limb_lengths(keypoints, _HEAD)


def _limb_lengths(keypoints, ends):
    start, end = np.moveaxis(np.asarray(keypoints, np.float64)[:, ends], 1, 0)
    is_known = (start[:, 2] > 0) & (end[:, 2] > 0)
    return np.where(is_known, _distances(start[:, :2], end[:, :2]), np.nan)


def _distances(a, b):
    difference = a - b
    return np.sqrt(np.einsum("...i,...i->...", difference, difference))

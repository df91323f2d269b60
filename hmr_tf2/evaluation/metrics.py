"""Joint errors: after aligning the hips, and after the best similarity (Procrustes)."""

import numpy as np

from tfrecords_tools import joints

HIPS = list(joints.LSP.indices(["right_hip", "left_hip"]))


def compute_similarity_transform(S1: np.ndarray, S2: np.ndarray) -> np.ndarray:
    """Moves, turns and scales points as close as possible to others, without reflection.

    Source: akanazawa/hmr src/benchmark/eval_util.py, for any batch at once.

    Args:
        S1: float [..., K, 3], points to move.
        S2: float [..., K, 3], where they should be.

    Returns:
        float64 [..., K, 3]. Points that all coincide are only moved. NaN or infinity in a
        skeleton gives NaN for it, and for no other.
    """
    S1, S2 = np.asarray(S1, np.float64), np.asarray(S2, np.float64)
    finite = np.isfinite(S1).all((-2, -1)) & np.isfinite(S2).all((-2, -1))
    usable = finite[..., np.newaxis, np.newaxis]
    source, target = np.where(usable, S1, 0.0), np.where(usable, S2, 0.0)
    middle_1, middle_2 = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    X1, X2 = source - middle_1, target - middle_2
    variance = (X1**2).sum((-2, -1))
    U, singular, Vt = np.linalg.svd(np.swapaxes(X1, -1, -2) @ X2)
    V, Ut = np.swapaxes(Vt, -1, -2), np.swapaxes(U, -1, -2)
    sign = np.ones_like(singular)
    # The smallest direction is turned round where the best orthogonal map would reflect.
    sign[..., -1] = np.where(np.linalg.det(U @ Vt) < 0, -1.0, 1.0)
    R = (V * sign[..., np.newaxis, :]) @ Ut
    scale = (singular * sign).sum(-1) / np.where(variance > 0, variance, 1.0)
    scale = np.where(variance > 0, scale, 1.0)[..., np.newaxis, np.newaxis]
    moved = scale * X1 @ np.swapaxes(R, -1, -2) + middle_2
    return np.where(usable, moved, np.nan)


def compute_errors(gt3ds: np.ndarray, preds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean joint errors of skeletons, in the unit of the input.

    Source: akanazawa/hmr src/benchmark/eval_util.py.

    Args:
        gt3ds: float [M, 14, 3] in LSP order.
        preds: float [M, 14, 3].

    Returns:
        errors [M] after both mid-points of the hips are moved to the origin (MPJPE), and
        errors [M] after the best similarity (PA-MPJPE).

    Raises:
        ValueError: the shapes differ or are not [M, 14, 3].
    """
    gt3ds, preds = np.asarray(gt3ds, np.float64), np.asarray(preds, np.float64)
    if gt3ds.shape != preds.shape or gt3ds.shape[1:] != (len(joints.LSP), 3):
        raise ValueError(
            f"gt3ds and preds must both be [M, {len(joints.LSP)}, 3]; "
            f"got {list(gt3ds.shape)} and {list(preds.shape)}."
        )
    truth, found = (x - x[:, HIPS].mean(1, keepdims=True) for x in (gt3ds, preds))
    errors = np.linalg.norm(truth - found, axis=2).mean(1)
    aligned = compute_similarity_transform(found, truth)
    return errors, np.linalg.norm(truth - aligned, axis=2).mean(1)

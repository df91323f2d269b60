"""Losses of HMR (paper sections 3.2-3.4), reduced over a batch as the original reduces them."""

import tensorflow as tf

from tfrecords_tools import joints

LEFT_HIP = joints.LSP.index("left_hip")
RIGHT_HIP = joints.LSP.index("right_hip")


def keypoint_l1_loss(kp_gt: tf.Tensor, kp_pred: tf.Tensor) -> tf.Tensor:
    """Mean absolute reprojection error over the visible keypoints.

    The original's reduction (akanazawa/hmr src/ops.py) divides by the number of coordinates
    with a weight, hence the factor 2.

    Args:
        kp_gt: float32 [N, K, 3]; x, y in [-1, 1] of the crop, visibility 0 or 1.
        kp_pred: float32 [N, K, 2]; x, y in [-1, 1] of the crop.

    Returns:
        float32 []; 0 where no keypoint of the batch is visible.
    """
    visible = kp_gt[..., 2:]
    error = tf.reduce_sum(visible * tf.abs(kp_gt[..., :2] - kp_pred))
    return tf.math.divide_no_nan(error, 2.0 * tf.math.count_nonzero(visible, dtype=error.dtype))


def compute_3d_loss(
    params_pred: tf.Tensor, params_gt: tf.Tensor, has_gt3d: tf.Tensor
) -> tf.Tensor:
    """Half the mean squared error over the entries of the examples that have labels.

    Source: akanazawa/hmr src/ops.py.

    Args:
        params_pred: float32 [N, P].
        params_gt: float32 [N, P].
        has_gt3d: bool or float [N]; which examples have these labels.

    Returns:
        float32 []; 0 where no example has labels.
    """
    has_gt3d = tf.cast(has_gt3d, params_pred.dtype)[:, tf.newaxis]
    error = tf.reduce_sum(has_gt3d * tf.math.squared_difference(params_gt, params_pred))
    count = tf.math.count_nonzero(has_gt3d, dtype=error.dtype)
    count *= tf.cast(tf.shape(params_pred)[1], error.dtype)
    return 0.5 * tf.math.divide_no_nan(error, count)


def align_by_pelvis(joints_3d: tf.Tensor) -> tf.Tensor:
    """Moves the mid-point of the hips of [..., K, 3] joints in LSP order to the origin."""
    pelvis = (joints_3d[..., LEFT_HIP, :] + joints_3d[..., RIGHT_HIP, :]) / 2.0
    return joints_3d - pelvis[..., tf.newaxis, :]


def squared_distance_to(d_out: tf.Tensor, target: float) -> tf.Tensor:
    """Least-squares GAN loss: sum over the outputs, mean over the rows of [M, 25] `d_out`."""
    return tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(d_out, target), axis=1))

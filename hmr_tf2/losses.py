"""Losses of HMR (paper sections 3.2-3.4), reduced over a batch as the original reduces them.

When a batch is spread over several devices, each device returns its share of the loss, and the
sum over the devices is the loss of the whole batch. Numerators are therefore sums over a device's
own rows, while denominators are counts over all devices (`replicas.total`): a mean of the
devices' means would give more weight to the keypoints of a device that sees few of them.
"""

from collections.abc import Sequence

import tensorflow as tf

from hmr_tf2 import replicas
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
    # The weight masks invisible keypoints instead of selecting visible ones: shapes stay static.
    error = tf.reduce_sum(visible * tf.abs(kp_gt[..., :2] - kp_pred))
    count = replicas.total(tf.math.count_nonzero(visible, dtype=error.dtype))
    # TF 1's SUM_BY_NONZERO_WEIGHTS counts weights after broadcasting them to x and y. A batch
    # without any visible keypoint has loss and gradient 0, not NaN.
    return tf.math.divide_no_nan(error, 2.0 * count)


def compute_3d_loss(
    params_pred: tf.Tensor, params_gt: tf.Tensor, has_gt3d: tf.Tensor
) -> tf.Tensor:
    """Half the mean squared error over all entries of the examples that have labels.

    Source: akanazawa/hmr src/ops.py (compute_3d_loss).

    Args:
        params_pred: float32 [N, P].
        params_gt: float32 [N, P].
        has_gt3d: bool or float [N]; whether an example has these labels.

    Returns:
        float32 []; 0 where no example has labels.
    """
    has_gt3d = tf.cast(has_gt3d, params_pred.dtype)[:, tf.newaxis]
    error = tf.reduce_sum(has_gt3d * tf.math.squared_difference(params_gt, params_pred))
    # Labelled examples times P: the mean is over the labelled entries only, so that the loss does
    # not depend on how many examples of the batch happen to come without 3-D labels.
    count = replicas.total(tf.math.count_nonzero(has_gt3d, dtype=error.dtype))
    count *= tf.cast(tf.shape(params_pred)[1], error.dtype)
    return 0.5 * tf.math.divide_no_nan(error, count)


def align_by_pelvis(joints_3d: tf.Tensor) -> tf.Tensor:
    """Moves the mid-point of the hips of [..., K, 3] joints in LSP order to the origin."""
    # LSP has no pelvis joint, so the original takes the middle of the hips for it.
    pelvis = (joints_3d[..., LEFT_HIP, :] + joints_3d[..., RIGHT_HIP, :]) / 2.0
    return joints_3d - pelvis[..., tf.newaxis, :]


def squared_distance_to(d_out: tf.Tensor, target: float) -> tf.Tensor:
    """Least-squares GAN loss of `d_out` [M, 25]: the sum over outputs, the mean over rows."""
    # A sum over the 25 discriminators, not their mean (paper section 3.3), so that one that judges
    # everything wrongly costs 25. This matters when the adversarial weight is chosen.
    rows = replicas.total(tf.cast(tf.shape(d_out)[0], d_out.dtype))
    return tf.reduce_sum(tf.math.squared_difference(d_out, target)) / rows


def weight_decay(weights: Sequence[tf.Variable], scale: float) -> tf.Tensor:
    """Half the sum of the squared weights, times `scale`: what Slim's l2_regularizer adds."""
    decay = scale * tf.add_n([tf.nn.l2_loss(weight) for weight in weights])
    # Every replica holds all weights, so one of them alone may add the term to the total.
    return decay * tf.cast(replicas.is_first(), decay.dtype)

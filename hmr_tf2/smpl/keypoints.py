"""Keypoints of a posed body: weighted sums of its vertices, without the mesh where that pays.

Keypoints are linear in the skinned vertices, so regressor, skinning weights and blend shapes are
contracted once, when the body is loaded, to one 3-vector for each keypoint and bone that moves
it. It is affine in shape and pose.
"""

import numpy as np
import tensorflow as tf

from hmr_tf2.smpl.kinematics import turned
from hmr_tf2.smpl.posed_body import PosedBody
from hmr_tf2.smpl.skinning import BlendedPoints, Skin, frozen


def make_keypoints(
    regressor: np.ndarray, weights: np.ndarray, shapes: np.ndarray, rest_shapes: np.ndarray
) -> tf.Module:
    """The cheaper of two equal routes from a `PosedBody` to keypoints [N, K, 3].

    Args:
        regressor: [K, V] weights of the vertices in each keypoint.
        weights: [V, J] skinning weights.
        shapes: [1 + D, V, 3] template and blend shapes of the vertices.
        rest_shapes: [1 + B, J, 3] the same of the joints at rest; the first B blend shapes, the
            betas, move them.
    """
    used = np.flatnonzero(regressor.any(axis=0))
    regressor, weights, shapes = regressor[:, used], weights[used], shapes[:, used]
    num_keypoints, num_vertices = regressor.shape
    num_pairs = len(moving_pairs(regressor, weights))
    # Multiplications a body: blending the points, posing them, adding them up.
    blending, adding = 3 * (len(shapes) - 1), 3 * num_keypoints
    contracted = num_pairs * (blending + 9 + adding)
    skinned = num_vertices * (blending + 12 * weights.shape[1] + 9 + adding)
    if contracted <= skinned:
        return ContractedKeypoints(regressor, weights, shapes, rest_shapes)
    return SkinnedKeypoints(regressor, weights, shapes)


def moving_pairs(regressor: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pairs [P, 2] of a keypoint and a bone that moves any of its vertices."""
    # The weights of a keypoint's vertices may cancel in the sum.
    return np.argwhere((np.abs(regressor) @ np.abs(weights)) > 0)


class ContractedKeypoints(tf.Module):
    """Keypoints from one point for each pair of a keypoint and a bone that moves it.

    The point is relative to the bone's joint at rest, so the bone turns it and the joint's posed
    position, times the bone's share in the keypoint, is added. Arguments as of `make_keypoints`.
    """

    def __init__(self, regressor, weights, shapes, rest_shapes):
        super().__init__(name="contracted_keypoints")
        pairs = moving_pairs(regressor, weights)
        keypoint, bone = pairs.T
        rows = regressor[keypoint] * weights.T[bone]
        share = rows.sum(axis=1)
        points = np.einsum("pv,dvc->dpc", rows, shapes, optimize=True)
        points[: len(rest_shapes)] -= share[:, np.newaxis] * rest_shapes[:, bone]
        self._points = BlendedPoints(points, "pair_points")
        # As matrices, for which a product is as fast as gathering, and has a gradient that adds
        # up in a fixed order.
        self._bone_of_pair = frozen(np.eye(weights.shape[1])[bone], "bone_of_pair")
        self._keypoint_of_pair = frozen(np.eye(len(regressor))[keypoint].T, "keypoint_of_pair")
        self._share = frozen(regressor @ weights, "share")

    def __call__(self, body: PosedBody) -> tf.Tensor:
        """Float32 [N, K, 3], metres."""
        rotations = tf.matmul(self._bone_of_pair, body.bone_rotations)
        points = turned(rotations, self._points(body.blend))
        keypoints = tf.matmul(self._keypoint_of_pair, points)
        keypoints += tf.matmul(self._share, body.positions)
        return tf.transpose(keypoints, [2, 1, 0])


class SkinnedKeypoints(tf.Module):
    """Keypoints from the vertices that they are sums of. Arguments as of `make_keypoints`."""

    def __init__(self, regressor, weights, shapes):
        super().__init__(name="skinned_keypoints")
        self._skin = Skin(shapes, weights)
        self._regressor = frozen(regressor, "regressor")

    def __call__(self, body: PosedBody) -> tf.Tensor:
        """Float32 [N, K, 3], metres."""
        return tf.matmul(self._regressor, self._skin(body))

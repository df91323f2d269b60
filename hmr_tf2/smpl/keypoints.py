"""Keypoints of a posed body: weighted sums of its vertices, without the mesh if that is cheaper.

A keypoint k is a sum over vertices v, each of which is a sum over bones j (Loper et al. 2015),

    sum_v r_kv sum_j w_vj (B_j (x_v - a_j) + p_j),

with the regressor r, the skinning weights w, the vertex x_v and the joint a_j at rest, and the
bone's rotation B_j and posed joint p_j. As B_j and p_j do not depend on v, the sums can be
exchanged: each pair of a keypoint and a bone that moves it contributes

    B_j (sum_v r_kv w_vj x_v - s_kj a_j) + s_kj p_j,    s_kj = sum_v r_kv w_vj.

As x_v and a_j are affine in the weights of the blend shapes, so is the point in brackets. The sum
over v is contracted once, when the body is loaded. A posed body then takes one small vector per
pair instead of thousands of vertices, forwards and backwards.
"""

import numpy as np
import tensorflow as tf

from hmr_tf2.smpl.kinematics import turned
from hmr_tf2.smpl.posed_body import PosedBody
from hmr_tf2.smpl.skinning import BlendedPoints, Skin, frozen


def make_keypoints(
    regressor: np.ndarray, weights: np.ndarray, shapes: np.ndarray, rest_shapes: np.ndarray
) -> tf.Module:
    """The cheaper of two equivalent routes from a `PosedBody` to keypoints [N, K, 3].

    Args:
        regressor: [K, V], weight of each vertex in each keypoint.
        weights: [V, J], skinning weights.
        shapes: [1 + D, V, 3], template and blend shapes of the vertices.
        rest_shapes: [1 + B, J, 3], the same of the joints at rest, which only the first B blend
            shapes, the betas, move.
    """
    # Most vertices are in no keypoint at all.
    used = np.flatnonzero(regressor.any(axis=0))
    regressor, weights, shapes = regressor[:, used], weights[used], shapes[:, used]
    num_keypoints, num_vertices = regressor.shape
    num_pairs = len(moving_pairs(regressor, weights))
    # Multiplications per body: blending the points, posing them, adding them up. SMPL's sparse
    # regressor has few pairs; if keypoints are spread over all bones, the vertices may be cheaper.
    blending, adding = 3 * (len(shapes) - 1), 3 * num_keypoints
    contracted = num_pairs * (blending + 9 + adding)
    skinned = num_vertices * (blending + 12 * weights.shape[1] + 9 + adding)
    if contracted <= skinned:
        return ContractedKeypoints(regressor, weights, shapes, rest_shapes)
    return SkinnedKeypoints(regressor, weights, shapes)


def moving_pairs(regressor: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pairs [P, 2] of a keypoint and a bone that moves any of its vertices."""
    # Absolute values, since a regressor may have negative weights, which cancel in the sum
    # although the bone still turns the keypoint.
    return np.argwhere((np.abs(regressor) @ np.abs(weights)) > 0)


class ContractedKeypoints(tf.Module):
    """Keypoints from one point for each pair of a keypoint and a bone that moves it.

    The point is relative to the bone's joint at rest. So the bone turns it, and the joint's posed
    position, times the bone's share in the keypoint, is added. For the arguments see
    `make_keypoints`.
    """

    def __init__(self, regressor, weights, shapes, rest_shapes):
        super().__init__(name="contracted_keypoints")
        pairs = moving_pairs(regressor, weights)
        keypoint, bone = pairs.T
        # r_kv w_vj of the module's docstring, and s_kj, for each pair.
        rows = regressor[keypoint] * weights.T[bone]
        share = rows.sum(axis=1)
        points = np.einsum("pv,dvc->dpc", rows, shapes, optimize=True)
        # Template and betas move the joints at rest; pose directions do not.
        points[: len(rest_shapes)] -= share[:, np.newaxis] * rest_shapes[:, bone]
        self._points = BlendedPoints(points, "pair_points")
        # As matrices of zeros and ones: a product with so few rows is as fast as gathering, and
        # its gradient adds up in a fixed order, which that of `tf.gather` does not.
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
    """Keypoints from the vertices that they are sums of. For arguments see `make_keypoints`."""

    def __init__(self, regressor, weights, shapes):
        super().__init__(name="skinned_keypoints")
        self._skin = Skin(shapes, weights)
        self._regressor = frozen(regressor, "regressor")

    def __call__(self, body: PosedBody) -> tf.Tensor:
        """Float32 [N, K, 3], metres."""
        return tf.matmul(self._regressor, self._skin(body))

"""The SMPL body: shape and pose to vertices, keypoints and rotations (Loper et al. 2015).

Two routes leave the same `PosedBody`. `vertices_of` skins the whole mesh. `keypoints_of` never
builds it: keypoints are linear in the skinned vertices, so regressor, skinning weights and blend
shapes are contracted once, when the body is loaded, to one 3-vector for each keypoint and bone
that moves it, affine in shape and pose.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf2.smpl import kinematics, rotations
from hmr_tf2.smpl.model_file import load_smpl_file

NUM_BETAS = 10
NUM_KEYPOINTS = {"cocoplus": 19, "lsp": 14}


class PosedBody(NamedTuple):
    """What both routes need of a body in a pose; N bodies, J joints, D blend shapes."""

    blend: tf.Tensor  # [N, D] coefficients of the blend shapes: betas, then R - I of the joints
    Rs: tf.Tensor  # [N, J, 3, 3] rotations relative to the parent
    joints: tf.Tensor  # [N, J, 3] posed joints, metres
    bone_rotations: tf.Tensor  # [N, J, 3, 3] rest pose to posed body
    bone_translations: tf.Tensor  # [N, J, 3]


def contract_keypoints(
    regressor: np.ndarray, weights: np.ndarray, template: np.ndarray, blend_shapes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Contracts K regressor rows with the mesh for every pair (keypoint, bone that moves it).

    Args:
        regressor: [K, V].
        weights: [V, J] skinning weights.
        template: [V, 3].
        blend_shapes: [D, V, 3].

    Returns:
        pairs [P, 2] (keypoint, bone), share [P] of the bone in the keypoint, and the pair's point
        of the rest body: template [P, 3] and blend shapes [D, P, 3], each times its share.
    """
    share = regressor @ weights
    # A bone may move vertices of a keypoint whose weights cancel in the sum, so look at each.
    moves = (np.abs(regressor) @ np.abs(weights)) > 0
    pairs = np.argwhere(moves)
    rows = regressor[pairs[:, 0]] * weights.T[pairs[:, 1]]
    return (
        pairs,
        share[moves],
        rows @ template,
        np.einsum("pv,dvc->dpc", rows, blend_shapes, optimize=True),
    )


class SMPL(tf.Module):
    """A body model read from an SMPL file; any number of vertices.

    >>> smpl = SMPL("models/neutral_smpl_with_cocoplus_reg.pkl")
    >>> verts, joints, Rs = smpl(beta, theta, get_skin=True)

    Source: akanazawa/hmr src/tf_smpl/batch_smpl.py.

    Args:
        path: an SMPL file, see `load_smpl_file`.
        joint_type: 'cocoplus' (19 keypoints) or 'lsp' (its first 14).

    Raises:
        ValueError, OSError: the file is no SMPL model (see `load_smpl_file`), has fewer than 10
            shape directions, or `joint_type` is unknown.
    """

    def __init__(self, path: str, joint_type: str = "cocoplus"):
        super().__init__(name="smpl")
        if joint_type not in NUM_KEYPOINTS:
            raise ValueError(
                f"joint_type must be one of {', '.join(NUM_KEYPOINTS)}; got {joint_type!r}."
            )
        body = load_smpl_file(path)
        if body["shapedirs"].shape[-1] < NUM_BETAS:
            raise ValueError(
                f"{path}: shapedirs has {body['shapedirs'].shape[-1]} shape directions; "
                f"at least {NUM_BETAS} are needed."
            )
        self.joint_type = joint_type
        self.faces = body["f"].astype(np.int32)
        self.parents = [-1, *body["kintree_table"][0, 1:].astype(int).tolist()]

        template, weights = body["v_template"], body["weights"]
        shape_dirs = np.moveaxis(body["shapedirs"][..., :NUM_BETAS], -1, 0)
        pose_dirs = np.moveaxis(body["posedirs"], -1, 0)
        blend_shapes = np.concatenate([shape_dirs, pose_dirs])
        joint_regressor = _dense(body["J_regressor"])
        num_keypoints = NUM_KEYPOINTS[joint_type]
        regressor = _dense(body["cocoplus_regressor"])
        if joint_type == "lsp":
            regressor = regressor[:num_keypoints]
        pairs, share, point, point_dirs = contract_keypoints(
            regressor, weights, template, blend_shapes
        )
        owner = np.zeros((len(regressor), len(pairs)))
        owner[pairs[:, 0], np.arange(len(pairs))] = 1.0

        self._pair_bones = pairs[:, 1].astype(np.int32)
        self.v_template = _frozen(template, "v_template")
        self._blend_shapes = _frozen(blend_shapes.reshape(len(blend_shapes), -1), "blend_shapes")
        self._weights = _frozen(weights, "weights")
        self._rest_joints = _frozen(joint_regressor @ template, "rest_joints")
        self._rest_joint_dirs = _frozen(
            np.einsum("jv,dvc->djc", joint_regressor, shape_dirs).reshape(NUM_BETAS, -1),
            "rest_joint_dirs",
        )
        self._pair_owner = _frozen(owner, "pair_owner")
        self._pair_share = _frozen(share[:, np.newaxis], "pair_share")
        self._pair_point = _frozen(point, "pair_point")
        self._pair_point_dirs = _frozen(
            point_dirs.reshape(len(blend_shapes), -1), "pair_point_dirs"
        )

    def pose(self, beta: tf.Tensor, theta: tf.Tensor) -> PosedBody:
        """Poses the skeleton.

        Args:
            beta: float32 [N, 10].
            theta: float32 [N, 72], 24 axis-angle vectors, radians, root first.
        """
        num_joints = len(self.parents)
        beta = tf.convert_to_tensor(beta, tf.float32)
        theta = tf.convert_to_tensor(theta, tf.float32)
        Rs = rotations.batch_rodrigues(tf.reshape(theta, [-1, num_joints, 3]))
        away_from_rest = tf.reshape(Rs[:, 1:] - tf.eye(3), [-1, 9 * (num_joints - 1)])
        rest = tf.reshape(beta @ self._rest_joint_dirs, [-1, num_joints, 3]) + self._rest_joints
        bone_rotations, joints = kinematics.global_transforms(Rs, rest, self.parents)
        return PosedBody(
            blend=tf.concat([beta, away_from_rest], axis=1),
            Rs=Rs,
            joints=joints,
            bone_rotations=bone_rotations,
            bone_translations=joints - tf.linalg.matvec(bone_rotations, rest),
        )

    def vertices_of(self, body: PosedBody) -> tf.Tensor:
        """Linear blend skinning of the whole mesh: float32 [N, V, 3], metres."""
        num_vertices = self.v_template.shape[0]
        rest = tf.reshape(body.blend @ self._blend_shapes, [-1, num_vertices, 3])
        rest += self.v_template
        transforms = tf.concat(
            [body.bone_rotations, body.bone_translations[..., tf.newaxis]], axis=-1
        )
        mixed = tf.einsum("vj,njm->nvm", self._weights,
                          tf.reshape(transforms, [-1, len(self.parents), 12]))
        mixed = tf.reshape(mixed, [-1, num_vertices, 3, 4])
        return tf.linalg.matvec(mixed[..., :3], rest) + mixed[..., 3]

    def keypoints_of(self, body: PosedBody) -> tf.Tensor:
        """Keypoints without the mesh: float32 [N, K, 3], metres."""
        num_pairs = len(self._pair_bones)
        points = tf.reshape(body.blend @ self._pair_point_dirs, [-1, num_pairs, 3])
        points += self._pair_point
        turned = tf.reduce_sum(
            tf.gather(body.bone_rotations, self._pair_bones, axis=1)
            * points[:, :, tf.newaxis, :],
            axis=-1,
        )
        moved = turned + self._pair_share * tf.gather(
            body.bone_translations, self._pair_bones, axis=1
        )
        return tf.einsum("kp,npc->nkc", self._pair_owner, moved)

    def keypoints(self, beta: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
        """Keypoints of [N, 10] shapes in [N, 72] poses: float32 [N, K, 3], metres."""
        return self.keypoints_of(self.pose(beta, theta))

    def __call__(self, beta: tf.Tensor, theta: tf.Tensor, get_skin: bool = False):
        """Keypoints [N, K, 3], or with `get_skin` vertices [N, V, 3], keypoints, Rs [N, 24, 3, 3].

        Args:
            beta: float32 [N, 10].
            theta: float32 [N, 72], 24 axis-angle vectors, radians, root first.
            get_skin: also return vertices and rotations, in the original's order.
        """
        body = self.pose(beta, theta)
        joints = self.keypoints_of(body)
        return (self.vertices_of(body), joints, body.Rs) if get_skin else joints


def _dense(matrix) -> np.ndarray:
    return np.asarray(matrix.todense() if hasattr(matrix, "todense") else matrix, np.float64)


def _frozen(array: np.ndarray, name: str) -> tf.Variable:
    return tf.Variable(array, trainable=False, dtype=tf.float32, name=name)

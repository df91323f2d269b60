"""The SMPL body: from shape and pose to vertices, keypoints and rotations (Loper et al. 2015)."""

import numpy as np
import tensorflow as tf

from hmr_tf2.smpl import kinematics, rotations
from hmr_tf2.smpl.keypoints import make_keypoints
from hmr_tf2.smpl.model_file import load_smpl_file
from hmr_tf2.smpl.posed_body import PosedBody
from hmr_tf2.smpl.skinning import BlendedPoints, Skin

NUM_BETAS = 10
NUM_KEYPOINTS = {"cocoplus": 19, "lsp": 14}


class SMPL(tf.Module):
    """A body model read from an SMPL file; any number of vertices.

    >>> smpl = SMPL("models/neutral_smpl_with_cocoplus_reg.pkl")
    >>> verts, joints, Rs = smpl(beta, theta, get_skin=True)

    Source: akanazawa/hmr src/tf_smpl/batch_smpl.py.

    It computes in float32 under every policy. On GPUs that multiply matrices in TF32, which is
    TensorFlow's default, points are off by 0.07 mm on average and by up to a millimetre;
    `tf.config.experimental.enable_tensor_float_32_execution(False)` keeps them exact.

    Args:
        path: an SMPL file, see `load_smpl_file`.
        joint_type: 'cocoplus' (19 keypoints) or 'lsp' (the first 14 of these).
        keypoint_regressor: file of the keypoints where `path` is an SMPL file without them, see
            `load_smpl_file`.

    Raises:
        ValueError, OSError: a file is not an SMPL model (see `load_smpl_file`), has fewer than
            10 shape directions, or `joint_type` is unknown.
    """

    def __init__(
        self, path: str, joint_type: str = "cocoplus", keypoint_regressor: str | None = None
    ):
        super().__init__(name="smpl")
        if joint_type not in NUM_KEYPOINTS:
            raise ValueError(
                f"joint_type must be one of {', '.join(NUM_KEYPOINTS)}; got {joint_type!r}."
            )
        body = load_smpl_file(path, keypoint_regressor, NUM_KEYPOINTS[joint_type])
        if body["shapedirs"].shape[-1] < NUM_BETAS:
            raise ValueError(
                f"{path}: 'shapedirs' has {body['shapedirs'].shape[-1]} shape directions; "
                f"at least {NUM_BETAS} are needed."
            )
        regressor = _dense(body["cocoplus_regressor"])
        if joint_type == "lsp":
            regressor = regressor[: NUM_KEYPOINTS[joint_type]]
        self.joint_type = joint_type
        self.faces = body["f"].astype(np.int32)
        self.parents = [-1, *body["kintree_table"][0, 1:].astype(int).tolist()]
        self.v_template = body["v_template"].astype(np.float32)

        shapes = _vertex_shapes(body)
        joint_regressor = _dense(body["J_regressor"])
        # Joints are regressed from the shaped vertices, which are affine in the betas: so are the
        # joints, and the thousands of vertices are contracted here, once and in float64. Pose
        # directions do not enter: SMPL regresses the joints of the rest pose (paper, equation 10).
        rest_shapes = np.einsum("jv,dvc->djc", joint_regressor, shapes[: 1 + NUM_BETAS])
        # From each parent to its joint, which is what the kinematic chain adds up; affine, too.
        # Subtracting here rather than for each body also avoids cancellation in float32.
        bone_shapes = rest_shapes.copy()
        bone_shapes[:, 1:] -= rest_shapes[:, self.parents[1:]]
        self._rest = BlendedPoints(rest_shapes, "rest_joints")
        self._bones = BlendedPoints(bone_shapes, "bones")
        self._skin = Skin(shapes, body["weights"])
        self._keypoints = make_keypoints(regressor, body["weights"], shapes, rest_shapes)

    def pose(self, beta: tf.Tensor, theta: tf.Tensor) -> PosedBody:
        """Poses the skeleton.

        Args:
            beta: [N, 10].
            theta: [N, 72], 24 axis-angle vectors, radians, root first.
        """
        num_joints = len(self.parents)
        # float32 whatever comes in: layers may compute in half precision. From here on components
        # stand first and bodies last, see `kinematics`.
        beta, theta = tf.transpose(tf.cast(beta, tf.float32)), tf.cast(theta, tf.float32)
        theta = tf.transpose(tf.reshape(theta, [-1, num_joints, 3]), [2, 1, 0])
        Rs = rotations.rotation_planes(theta)
        # The pose blend shapes are weighted by R - I of every joint but the root: they vanish in
        # the rest pose, and do not depend on which way the body faces (SMPL, equation 9).
        away_from_rest = Rs[:, :, 1:] - tf.eye(3)[:, :, tf.newaxis, tf.newaxis]
        away_from_rest = tf.reshape(away_from_rest, [9 * (num_joints - 1), -1])
        bone_rotations, positions = kinematics.forward_kinematics(
            Rs, self._bones(beta), self.parents
        )
        return PosedBody(
            blend=tf.concat([beta, away_from_rest], axis=0),
            rotations=Rs,
            rest=self._rest(beta),
            bone_rotations=bone_rotations,
            positions=positions,
        )

    def vertices_of(self, body: PosedBody) -> tf.Tensor:
        """Linear blend skinning of the whole mesh: float32 [N, V, 3], metres."""
        return self._skin(body)

    def keypoints_of(self, body: PosedBody) -> tf.Tensor:
        """Keypoints, computed without the mesh if that is cheaper: float32 [N, K, 3], metres."""
        return self._keypoints(body)

    def keypoints(self, beta: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
        """Keypoints of [N, 10] shapes in [N, 72] poses: float32 [N, K, 3], metres."""
        return self.keypoints_of(self.pose(beta, theta))

    def __call__(self, beta: tf.Tensor, theta: tf.Tensor, get_skin: bool = False):
        """Keypoints [N, K, 3]; with `get_skin` vertices [N, V, 3], keypoints and Rs [N, 24, 3, 3].

        Args:
            beta: [N, 10].
            theta: [N, 72], 24 axis-angle vectors, radians, root first.
            get_skin: whether to return vertices and rotations, too, in the original's order.

        Returns:
            float32, metres.
        """
        body = self.pose(beta, theta)
        joints = self.keypoints_of(body)
        return (self.vertices_of(body), joints, body.Rs) if get_skin else joints


def _vertex_shapes(body):
    """[1 + D, V, 3]: template, shape directions, and pose directions in the order of `blend`."""
    template, pose_dirs = body["v_template"], body["posedirs"]
    # In the file the nine entries of a joint are adjacent; in `blend`, where components stand
    # first, the same entry of all joints is.
    pose_dirs = pose_dirs.reshape(*template.shape, -1, 9).swapaxes(-1, -2).reshape(pose_dirs.shape)
    parts = [template[..., np.newaxis], body["shapedirs"][..., :NUM_BETAS], pose_dirs]
    return np.moveaxis(np.concatenate(parts, axis=-1), -1, 0)


def _dense(matrix) -> np.ndarray:
    return np.asarray(matrix.todense() if hasattr(matrix, "todense") else matrix, np.float64)

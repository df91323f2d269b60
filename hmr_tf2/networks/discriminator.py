"""The factorised discriminator of pose and shape (paper section 3.3)."""

import functools

import tensorflow as tf
import tf_keras as keras

SCOPE = "D"
NUM_JOINTS = 23
NUM_OUTPUTS = NUM_JOINTS + 2


class Discriminator_separable_rotations(keras.layers.Layer):
    """One output for each joint's rotation, one for all joints together, and one for the shape.

    The outputs are linear and trained towards 1 for motion capture and 0 for predictions. The 23
    dense layers of the joints share one weight [23, 32], so that they are a single product.
    Always float32.
    Source: akanazawa/hmr src/models.py (Discriminator_separable_rotations).
    """

    def __init__(self):
        super().__init__(name=SCOPE, dtype="float32")
        # The layers inside would follow a global policy even though `self` is float32.
        dense = functools.partial(keras.layers.Dense, dtype="float32")
        self.joint_convs = [
            keras.layers.Conv2D(
                32, 1, activation="relu", name=f"{SCOPE}/D_conv{i}", dtype="float32"
            )
            for i in (1, 2)
        ]
        self.all_joints = [
            dense(1024, activation="relu", name=f"{SCOPE}/D_alljoints_fc1"),
            dense(1024, activation="relu", name=f"{SCOPE}/D_alljoints_fc2"),
            dense(1, name=f"{SCOPE}/D_alljoints_out"),
        ]
        self.shape_layers = [
            dense(10, activation="relu", name=f"{SCOPE}/shape_fc1/shape_fc1_1"),
            dense(5, activation="relu", name=f"{SCOPE}/shape_fc1/shape_fc1_2"),
            dense(1, name=f"{SCOPE}/shape_final"),
        ]

    def build(self, input_shape):
        # Xavier uniform for each joint's own 32 -> 1 layer, not for the stack of them.
        limit = (6.0 / (32 + 1)) ** 0.5
        self.pose_out_weights = self.add_weight(
            "pose_out/weights",
            shape=[NUM_JOINTS, 32],
            initializer=keras.initializers.RandomUniform(-limit, limit),
        )
        self.pose_out_biases = self.add_weight(
            "pose_out/biases", shape=[NUM_JOINTS], initializer="zeros"
        )
        super().build(input_shape)

    def call(self, rotations, shapes):
        """Judges M bodies.

        Args:
            rotations: float32 [M, 23, 3, 3], without the root.
            shapes: float32 [M, 10].

        Returns:
            float32 [M, 25]: 23 joints in SMPL's order, all joints, shape.
        """
        # 1x1 convolutions over the joints: all joints share these two layers, so that each one's
        # own discriminator is small and needs little mocap (paper section 3.3).
        x = tf.reshape(rotations, [-1, NUM_JOINTS, 1, 9])
        for conv in self.joint_convs:
            x = conv(x)
        # Per joint: its angle limits. All joints: how they go together. Shape: its own prior.
        per_joint = tf.einsum("mjoc,jc->mj", x, self.pose_out_weights) + self.pose_out_biases
        x = tf.reshape(x, [-1, NUM_JOINTS * 32])
        for dense in self.all_joints:
            x = dense(x)
        for dense in self.shape_layers:
            shapes = dense(shapes)
        return tf.concat([per_joint, x, shapes], axis=1)

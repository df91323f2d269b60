"""The 268 numbers of a 3-D label: 216 rotation entries, 10 betas, 42 joint coordinates.

Source: akanazawa/hmr src/data_loader.py (image_preprocessing), which keeps them in one vector, so
that examples with and without 3-D labels fit into the same batch.
"""

from typing import NamedTuple

import tensorflow as tf

from hmr_tf2.smpl.rotations import batch_rodrigues
from tfrecords_tools import records

NUM_ROTATION_ENTRIES = 24 * 9
NUM_SMPL = NUM_ROTATION_ENTRIES + records.SHAPE_SIZE
NUM_LABELS = NUM_SMPL + 3 * records.NUM_JOINTS


class Label3D(NamedTuple):
    """The parts of a 3-D label.

    `smpl` [..., 226] holds the entries of the 24 rotation matrices, row by row, then the betas;
    `joints` [..., 14, 3] is in metres, in the order `joints.LSP`.
    """

    smpl: tf.Tensor
    joints: tf.Tensor


def label_3d(pose: tf.Tensor, shape: tf.Tensor, joints: tf.Tensor) -> tf.Tensor:
    """The label of one example: float32 [268].

    Args:
        pose: float32 [72], axis-angle, radians.
        shape: float32 [10].
        joints: float32 [14, 3], metres.
    """
    rotations = batch_rodrigues(tf.reshape(pose, [24, 3]))
    return tf.concat([tf.reshape(rotations, [-1]), shape, tf.reshape(joints, [-1])], axis=0)


def split_label(label3d: tf.Tensor) -> Label3D:
    """Splits labels [..., 268] into the parts."""
    smpl, joints = tf.split(label3d, [NUM_SMPL, NUM_LABELS - NUM_SMPL], axis=-1)
    shape = tf.concat([tf.shape(joints)[:-1], [records.NUM_JOINTS, 3]], axis=0)
    return Label3D(smpl, tf.reshape(joints, shape))


def smpl_part(rotations: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """The prediction in the form of `Label3D.smpl`: [N, 24, 3, 3] and [N, 10] to [N, 226]."""
    return tf.concat([tf.reshape(rotations, [-1, NUM_ROTATION_ENTRIES]), shape], axis=1)


def without_3d_labels(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Fills in zeros for missing 3-D labels, so that both kinds of examples mix in a batch."""
    return {
        **example,
        "label3d": tf.zeros([NUM_LABELS]),
        "has3d": tf.constant([False, False]),
    }

"""The 268 numbers of a 3-D label."""

import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf2.data import labels


def test_a_label_splits_into_what_it_was_made_of(rng):
    pose, shape = rng.normal(size=72), rng.normal(size=10)
    joints = rng.normal(size=(14, 3))
    label = labels.label_3d(*(tf.constant(x, tf.float32) for x in (pose, shape, joints)))
    assert label.shape == (268,) == (labels.NUM_LABELS,)
    parts = labels.split_label(tf.stack([label, 2 * label]))
    rotations = Rotation.from_rotvec(pose.reshape(24, 3)).as_matrix()
    np.testing.assert_allclose(parts.smpl[0, :216], rotations.ravel(), atol=2e-6)
    np.testing.assert_allclose(parts.smpl[0, 216:], shape, rtol=1e-6)
    np.testing.assert_allclose(parts.joints, np.stack([joints, 2 * joints]), rtol=1e-6)


def test_what_is_predicted_lies_as_the_label_does(rng):
    pose, shape = rng.normal(size=72), rng.normal(size=10)
    label = labels.label_3d(
        tf.constant(pose, tf.float32), tf.constant(shape, tf.float32), tf.zeros([14, 3])
    )
    rotations = Rotation.from_rotvec(pose.reshape(24, 3)).as_matrix().astype(np.float32)
    predicted = labels.smpl_part(rotations[np.newaxis], shape[np.newaxis].astype(np.float32))
    np.testing.assert_allclose(predicted[0], labels.split_label(label).smpl, atol=2e-6)


def test_an_example_without_labels_fits_beside_one_with():
    example = labels.without_3d_labels({"image": 1})
    assert example["image"] == 1 and example["label3d"].shape == (labels.NUM_LABELS,)
    assert not example["has3d"].numpy().any()

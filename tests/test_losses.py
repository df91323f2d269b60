"""Losses: the original's reductions, and what they do at the edges."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import camera, losses


def test_KEEP_keypoint_loss_divides_by_twice_the_visible_points(rng):
    truth = rng.normal(size=(3, 19, 3)).astype(np.float32)
    truth[..., 2] = rng.random((3, 19)) > 0.4
    predicted = rng.normal(size=(3, 19, 2)).astype(np.float32)
    total = sum(
        abs(truth[n, k, c] - predicted[n, k, c])
        for n in range(3)
        for k in range(19)
        for c in range(2)
        if truth[n, k, 2]
    )
    expected = total / (2 * truth[..., 2].sum())
    assert losses.keypoint_l1_loss(truth, predicted).numpy() == pytest.approx(expected, rel=1e-5)


def test_keypoint_loss_ignores_invisible_points(rng):
    truth = rng.normal(size=(2, 19, 3)).astype(np.float32)
    truth[..., 2] = 0
    truth[0, 3, 2] = 1
    predicted = truth[..., :2] + 100.0
    predicted[0, 3] = truth[0, 3, :2] + [1.0, 3.0]
    assert losses.keypoint_l1_loss(truth, predicted).numpy() == pytest.approx(2.0, rel=1e-5)


def test_keypoint_loss_of_nothing_visible_is_zero_with_zero_gradient():
    predicted = tf.ones([2, 19, 2])
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        loss = losses.keypoint_l1_loss(tf.zeros([2, 19, 3]), predicted)
    assert loss.numpy() == 0.0
    assert not tape.gradient(loss, predicted).numpy().any()


def test_KEEP_3d_loss_is_half_the_mean_over_labelled_examples(rng):
    truth, predicted = rng.normal(size=(2, 4, 226)).astype(np.float32)
    has = np.array([True, False, False, True])
    expected = 0.5 * np.mean((truth[has] - predicted[has]) ** 2)
    got = losses.compute_3d_loss(predicted, truth, has).numpy()
    assert got == pytest.approx(expected, rel=1e-5)


def test_3d_loss_without_labels_is_zero_with_zero_gradient():
    predicted = tf.ones([2, 42])
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        loss = losses.compute_3d_loss(predicted, tf.zeros([2, 42]), tf.constant([False, False]))
    assert loss.numpy() == 0.0
    assert not tape.gradient(loss, predicted).numpy().any()


def test_align_by_pelvis_puts_the_middle_of_the_hips_at_the_origin(rng):
    aligned = losses.align_by_pelvis(rng.normal(size=(3, 14, 3)))
    np.testing.assert_allclose((aligned[:, 2] + aligned[:, 3]) / 2, 0.0, atol=1e-12)


def test_align_by_pelvis_ignores_where_the_body_stands(rng):
    joints = rng.normal(size=(14, 3))
    np.testing.assert_allclose(
        losses.align_by_pelvis(joints + [3.0, -2.0, 7.0]),
        losses.align_by_pelvis(joints),
        atol=1e-12,
    )


def test_projection_scales_after_it_moves():
    points = np.float32([[[1.0, 2.0, 9.0], [0.0, 0.0, -9.0]]])
    got = camera.batch_orth_proj_idrot(points, np.float32([[0.5, 0.1, -0.2]]))
    np.testing.assert_allclose(got, [[[0.55, 0.9], [0.05, -0.1]]], atol=1e-6)


def test_crop_to_pixels_maps_edge_to_edge():
    np.testing.assert_allclose(camera.crop_to_pixels(np.float32([-1, 0, 1]), 224), [0, 112, 224])


def test_gan_loss_sums_over_the_outputs_and_averages_over_the_rows(rng):
    """Of akanazawa/hmr src/trainer.py: mean over rows of the sum over the 25 outputs."""
    outputs = rng.normal(size=(3, 25)).astype(np.float32)
    slow = sum((float(value) - 1.0) ** 2 for row in outputs for value in row) / 3
    assert losses.squared_distance_to(outputs, 1.0).numpy() == pytest.approx(slow, rel=1e-5)
    twice = np.concatenate([outputs, outputs])
    assert losses.squared_distance_to(twice, 1.0).numpy() == pytest.approx(slow, rel=1e-5)


def test_weight_decay_is_half_the_squared_weights_times_its_scale():
    """Slim's l2_regularizer(scale): scale * sum(w ** 2) / 2, summed over the variables."""
    weights = [tf.constant([3.0, -4.0]), tf.constant([[2.0]])]
    assert losses.weight_decay(weights, 0.1).numpy() == pytest.approx(0.1 * (25 + 4) / 2)
    assert losses.weight_decay(weights, 0.3).numpy() == pytest.approx(0.3 * (25 + 4) / 2)


def test_weight_decay_counts_once_however_many_devices_there_are(monkeypatch):
    """Each device adds its share to the sum, and the weights are the same on all of them."""
    weights = [tf.constant([3.0, -4.0])]
    monkeypatch.setattr(losses.replicas, "is_first", lambda: tf.constant(False))
    assert losses.weight_decay(weights, 0.1).numpy() == 0.0

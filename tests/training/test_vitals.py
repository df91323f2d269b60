"""Speed, waiting, learning rates and memory."""

import types

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hmr_tf2.training import history, input_clock, vitals


def test_a_run_reports_speed_rates_and_memory(watched):
    scalars = history.read_scalars(watched.folder)
    # Not of step 1, which compiles.
    for tag in ("speed/images_per_second", "speed/input_wait_share", "memory/host"):
        assert [step for step, _ in scalars[tag]] == [2, 3, 4]
        assert all(value > 0 for _, value in scalars[tag])
    assert all(share <= 1 for _, share in scalars["speed/input_wait_share"])
    assert scalars["learning_rate/e_lr"][-1] == (4, np.float32(1e-5))
    assert scalars["learning_rate/d_lr"][-1] == (4, np.float32(1e-4))


class Watch:
    """Stands in for `time`: seconds pass when told to."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now

    def spend(self, seconds):
        self.now += seconds


def test_the_clock_counts_the_making_of_a_batch_and_not_its_use(monkeypatch):
    watch, clock = Watch(), input_clock.InputClock()
    monkeypatch.setattr(input_clock, "time", watch)

    def make(x):
        watch.spend(3.0)
        return x

    # Not stateless to TensorFlow: it would be run side by side.
    batches = tf.data.Dataset.range(4).map(lambda x: tf.numpy_function(make, [x], tf.int64))
    for number, batch in enumerate(clock.watch(batches)):
        assert batch.numpy() == number
        watch.spend(50.0)
    assert clock.waited == 4 * 3.0


def test_the_clock_passes_batches_on_as_they_are():
    batches = tf.data.Dataset.from_tensor_slices(
        {"image": np.arange(12.0).reshape(4, 3), "label": np.arange(4)}
    ).batch(2)
    watched = input_clock.InputClock().watch(batches)
    assert watched.element_spec == batches.element_spec
    for found, expected in zip(watched, batches, strict=True):
        np.testing.assert_array_equal(found["image"], expected["image"])
        np.testing.assert_array_equal(found["label"], expected["label"])


def test_learning_rates_follow_their_schedules():
    adam = keras.optimizers.legacy.Adam
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([10], [0.5, 0.25])
    optimizer = adam(schedule)
    model = types.SimpleNamespace(optimizers=lambda: {"e": optimizer})
    assert vitals.learning_rates(model) == {"learning_rate/e_lr": 0.5}
    optimizer.iterations.assign(11)
    assert vitals.learning_rates(model) == {"learning_rate/e_lr": 0.25}


def test_host_memory_grows_with_what_is_held():
    before = vitals.resident_bytes()
    if before is None:
        pytest.skip("Only Linux tells.")
    held = np.ones(1 << 24)
    assert vitals.resident_bytes() - before > 0.9 * held.nbytes

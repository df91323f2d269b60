"""Each round through the records is a permutation that resembles no other."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.data.streams import shuffled


def rounds_of(count, rounds, key=(3, -7)):
    """The records of some rounds through `count`: [rounds, count]."""
    draws = tf.range(rounds * count, dtype=tf.int64)
    keys = tf.tile(tf.constant([key], tf.int64), [rounds * count, 1])
    found = shuffled(draws, tf.fill([rounds * count], tf.constant(count, tf.int64)), keys)
    return found.numpy().reshape(rounds, count)


@pytest.mark.parametrize("count", [1, 2, 3, 64, 1000, 65536])
def test_each_round_is_a_permutation(count):
    for order in rounds_of(count, 3):
        np.testing.assert_array_equal(np.sort(order), np.arange(count))


@pytest.mark.parametrize("count", [1000, 50_000, 65_536])
def test_no_round_resembles_another_or_the_order_of_the_files(count):
    orders = np.vstack(
        [
            np.arange(count),
            rounds_of(count, 4),
            rounds_of(count, 1, key=(4, -7)),
            rounds_of(count, 1, key=(3, -6)),
        ]
    )
    found = np.corrcoef(orders) - np.eye(len(orders))
    # Of independent orders the standard deviation is 1 / sqrt(count).
    assert np.abs(found).max() < 5 / np.sqrt(count)


def test_batches_are_spread_over_all_records():
    """Means of 64 successive draws vary as those of independent draws do."""
    means = rounds_of(65_536, 1)[0].reshape(-1, 64).mean(axis=1)
    assert 0.9 < means.std() / (65_536 / np.sqrt(12 * 64)) < 1.1

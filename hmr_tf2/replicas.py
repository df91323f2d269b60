"""What the devices (replicas) of a step share: sums over all of them, and each one's rows.

Outside a `tf.distribute` strategy there is only one replica, and every function returns what a
single device computes.
"""

from typing import Any

import tensorflow as tf


def total(values: Any) -> Any:
    """Sums tensors, or a structure of them, over the replicas of this step."""
    context = _context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values) if context else values


def uniform_rows(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """This replica's rows of the uniform numbers in [0, 1) that a single device would draw.

    Args:
        shape: int [2] or more, shape of this replica's rows.
        seed: int [2].
    """
    context = _context()
    if context is None:
        return tf.random.stateless_uniform(shape, seed)
    # Each replica draws the rows of all and keeps its own. That wastes some random numbers, but a
    # step on several devices then has the very dropout masks of the same step on one.
    rows = shape[0]
    everyone = tf.concat([[rows * context.num_replicas_in_sync], shape[1:]], axis=0)
    first = rows * context.replica_id_in_sync_group
    return tf.random.stateless_uniform(everyone, seed)[first : first + rows]


def is_first() -> tf.Tensor | bool:
    """Whether this replica is the one that adds what must be counted only once."""
    context = _context()
    return True if context is None else tf.equal(context.replica_id_in_sync_group, 0)


def _context():
    """The replica context if there are several replicas, else None."""
    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None

"""Measures how long training waits for its data."""

import time

import numpy as np
import tensorflow as tf


class InputClock:
    """Measures, within the pipeline itself, how long its consumer waits for each batch.

    >>> clock = InputClock()
    >>> model.fit(clock.watch(batches), ...)
    >>> clock.waited  # seconds, of all batches so far

    Keras takes the next batch inside its compiled step, not between two callbacks, so only the
    last stage of the pipeline can see the wait. With one device and one step per execution the
    consumer is the step itself, and the device idles meanwhile. A distribution strategy, or
    several steps per execution, take a batch ahead: part of the wait is then hidden behind the
    steps, and `waited` is an upper bound. A pipeline that is faster than the steps reads about
    zero in every case.
    """

    def __init__(self):
        self.waited = 0.0
        self._asked_at = 0.0

    def watch(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """The same batches, timed, which costs some tenths of a millisecond per batch."""
        asked = tf.data.Dataset.range(np.iinfo(np.int64).max).map(
            lambda _: tf.numpy_function(self._ask, [], tf.int64)
        )
        # `zip` asks its parts in order: first the clock, then the batches. TensorFlow takes the
        # functions to be stateful, so it neither runs them ahead nor in parallel.
        watched = tf.data.Dataset.zip((asked, batches)).map(self._given)
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False
        return watched.with_options(options)

    def _ask(self):
        self._asked_at = time.perf_counter()
        return np.int64(0)

    def _given(self, _, batch):
        done = tf.numpy_function(self._receive, [], tf.int64)
        with tf.control_dependencies([done]):
            return tf.nest.map_structure(tf.identity, batch)

    def _receive(self):
        self.waited += time.perf_counter() - self._asked_at
        return np.int64(0)

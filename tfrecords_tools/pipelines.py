"""Pipelines of `tf.data` that end when they are dropped, and never keep a program from ending."""

import atexit
import functools
import gc
import sys
import threading
from collections.abc import Mapping

import tensorflow as tf

from tfrecords_tools import interrupts

# Iterators that a collection in another thread than the main one has come across.
_kept: list[object] = []


def ends_promptly(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements, from a pipeline whose iterators are gone as soon as they are dropped.

    TensorFlow 2.15 makes a program wait for threads of its own, for a minute or for ever:

    * The thread that tunes a pipeline can miss that the iterator is being dropped, and notices
      when it next wakes up, which is up to a minute later. So nothing is tuned: `AUTOTUNE` then
      means one call a core, and at most 16 at once.
    * A stage that calls Python (`tf.numpy_function`) waits for ever once Python is ending, and
      with it the iterator that is dropped at that time. So what is still being read when the
      program ends is dropped while Python is whole.
    * Such a stage may also start Python's garbage collector in its own thread. If that finds the
      very iterator that the thread works for, it waits for itself, and from then on nothing in the
      program is ever collected. So collections in such threads leave iterators to the main thread.

    Ctrl-C ends the reading, too: see `interrupts`. What is made of the result (`.map`, `.take`)
    behaves in the same way.
    """
    _watch_over_iterators()
    interrupts.heed_all()
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


@functools.cache
def _watch_over_iterators() -> None:
    """Once, and not when this module is imported: a library changes nothing by that."""
    atexit.register(_drop_iterators)
    gc.callbacks.append(_keep_from_other_threads)


def _keep_from_other_threads(phase: str, info: Mapping[str, int]) -> None:
    """Called by the garbage collector, before and after a collection, in the thread that it is in.

    What is referred to from here is not garbage. It stays so until the main thread collects.
    """
    if threading.get_ident() == threading.main_thread().ident:
        if phase == "start":
            _kept.clear()
    elif phase == "start":
        for generation in range(info["generation"] + 1):
            _kept.extend(filter(_is_iterator, gc.get_objects(generation)))


def _drop_iterators() -> None:
    # Python keeps the error that ends a program, and with it the frame that was reading a batch.
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            setattr(sys, name, None)
    # Only the garbage collector knows all iterators: `fit`, a traceback or a user's own variable
    # may hold one. What an iterator holds is gone with its attributes, whatever their names are.
    for found in gc.get_objects():
        if _is_iterator(found):
            vars(found).clear()


def _is_iterator(found: object) -> bool:
    # By type, since `isinstance` would ask objects that answer with code of their own. Those of
    # several devices have a type of their own, which is not public.
    kind = type(found)
    of_tensorflow = str(kind.__module__).startswith("tensorflow.python.")
    return issubclass(kind, tf.data.Iterator) or (
        of_tensorflow and kind.__name__.endswith("Iterator")
    )

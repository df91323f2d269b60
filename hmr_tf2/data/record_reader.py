"""Reads records for training; names a corrupt one, or takes the next whole one in its place."""

import bisect
import collections
import itertools
import threading
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from hmr_tf2.data import parsing
from hmr_tf2.data.record_index import RecordIndex

# More corrupt records than both limits allow are not an accident that training should ignore.
MAX_CORRUPT = 10
MAX_CORRUPT_SHARE = 0.01
# At least as many records as can be on their way through the pipeline at a time.
NUM_RECENT = 16384


class RecordReader:
    """Reads records of an index by number and checks them.

    A corrupt record (its checksum differs, a feature is wrong, its picture cannot be decoded) is
    an error that names file and byte. With `skip_corrupt`, the next whole record of its source
    takes its place, so that what is read still depends on numbers and files alone.

    Args:
        index: the records of S sources, one source after the other.
        ends: for each source, the number after that of its last record.
        specs: for each source, the features of its records.
        skip_corrupt: whether to skip corrupt records.

    Raises:
        ValueError: too much of the files is damaged.
    """

    def __init__(
        self,
        index: RecordIndex,
        ends: Sequence[int],
        specs: Sequence[Mapping[str, tf.io.FixedLenFeature]],
        skip_corrupt: bool = False,
    ):
        self.index = index
        self.ends = ends
        self.specs = specs
        self.skip_corrupt = skip_corrupt
        self._corrupt: dict[int, str] = {}
        # Used with `skip_corrupt`: a picture is decoded for a check only once.
        self._is_whole = np.zeros(len(index), bool)
        self._recent: collections.deque[int] = collections.deque(maxlen=NUM_RECENT)
        # A list, as batches are read at the same time and TensorFlow reports one of the errors.
        self._failures: list[ValueError | OSError] = []
        self._lock = threading.Lock()
        for damage in index.damage:
            logging.warning("Skipped %s.", damage)
        self._check_number()

    @property
    def num_corrupt(self) -> int:
        """Number of corrupt records skipped so far."""
        return len(self._corrupt) + len(self.index.damage)

    def __call__(self, numbers: tf.Tensor) -> tf.Tensor:
        """The records `numbers`, int64 [N], as strings [N]."""
        # A call into Python costs time and its lock, so a single one reads all N records.
        serialized = tf.numpy_function(self._read_all, [numbers], tf.string, stateful=False)
        return tf.ensure_shape(serialized, numbers.shape)

    def explain(self, error: Exception) -> ValueError | OSError | None:
        """What is wrong with a record, if that is the cause of an error of the pipeline."""
        # TensorFlow turns an exception in `numpy_function` into an error of its own, quoting it.
        for failure in self._failures:
            if str(failure) in str(error):
                return failure
        if isinstance(error, tf.errors.InvalidArgumentError):
            # Pictures are decoded after the reader, where a record no longer has a number. So the
            # records of late are decoded again to find the broken one.
            for number in dict.fromkeys(tuple(self._recent)):
                _, fault = self._check(number, decode=True)
                if fault:
                    return self._corrupt_error(number, fault)
        return None

    def _read_all(self, numbers):
        read = self._read_or_stand_in if self.skip_corrupt else self._read
        try:
            return np.array([read(number) for number in numbers.tolist()], object)
        except (OSError, ValueError) as error:
            self._failures.append(error)
            raise

    def _read(self, number):
        self._recent.append(number)
        data, fault = self._check(number, decode=False)
        if fault:
            raise self._corrupt_error(number, fault)
        return data

    def _read_or_stand_in(self, number):
        source = self._source(number)
        start, end = [0, *self.ends][source], self.ends[source]
        # The records of the source from this one on, once around. A random one would do as well,
        # but a resumed run must find the same one, whichever thread was first.
        for candidate in itertools.chain(range(number, end), range(start, number)):
            if candidate in self._corrupt:
                continue
            data, fault = self._check(candidate, decode=not self._is_whole[candidate])
            if not fault:
                self._is_whole[candidate] = True
                return data
            self._pass_over(candidate, fault)
        raise ValueError(f"{self.index.where(number)} and all others of its kind are corrupt.")

    def _check(self, number, decode):
        """The data of a record, and what is wrong with it, if anything."""
        try:
            data = self.index.read(number)
        except ValueError as error:
            return b"", str(error)
        except OSError as error:
            path = self.index.paths[self.index.file_of[number]]
            raise OSError(
                f"{path} can no longer be read: {error.strerror}. Training needs its records to "
                "stay where they are; once they are back, the same command continues."
            ) from error
        return data, parsing.fault_of(data, self.specs[self._source(number)], decode)

    def _source(self, number):
        return bisect.bisect_right(self.ends, number)

    def _pass_over(self, number, fault):
        with self._lock:
            if number in self._corrupt:
                return
            self._corrupt[number] = fault
            logging.warning(
                "Skipped %s: %s; %d so far.", self.index.where(number), fault, self.num_corrupt
            )
            self._check_number()

    def _check_number(self):
        if self.num_corrupt > max(MAX_CORRUPT, MAX_CORRUPT_SHARE * len(self.index)):
            raise ValueError(
                f"{self.num_corrupt} of {len(self.index)} records are corrupt: too many for "
                "--skip_corrupt. `python -m tfrecords_tools.verify` names them; convert the data "
                "set again."
            )

    def _corrupt_error(self, number, fault):
        return ValueError(
            f"{self.index.where(number)} is corrupt: {fault}. Convert the data set again, or pass "
            "--skip_corrupt to skip such records."
        )

"""Writes the health of a run for TensorBoard: speed, waiting for data, learning rates, memory."""

import os
import sys
import time

import tensorflow as tf
import tf_keras as keras

from hmr_tf2.training.input_clock import InputClock
from hmr_tf2.training.summaries import EventFiles

GIB = 2.0**30


class Vitals(keras.callbacks.Callback):
    """Reports every few seconds, and at the end of each epoch, how a run is doing.

    Tags: `speed/images_per_second` and `speed/input_wait_share` since the last report (time spent
    on pictures and checkpoints between steps counts, too; validation, and compiling in the first
    step, do not); `learning_rate/e_lr` and `learning_rate/d_lr` of the next step; `memory/...` in
    GiB, see `memory_gib`.

    Args:
        files: TensorBoard's files.
        clock: watches the batches, see `InputClock`.
        seconds: shortest time between reports.
    """

    def __init__(self, files: EventFiles, clock: InputClock, seconds: float = 5.0):
        super().__init__()
        self.files = files
        self.clock = clock
        self.seconds = seconds
        self._compiled = False
        self._start = (0.0, 0, 0.0)

    def on_epoch_begin(self, epoch, logs=None):
        self._start = self._now()

    def on_train_batch_end(self, batch, logs=None):
        if not self._compiled:
            self._compiled = True
            self._start = self._now()
        elif time.perf_counter() - self._start[0] >= self.seconds:
            self._report()

    def on_epoch_end(self, epoch, logs=None):
        self._report()

    def _now(self):
        step = int(self.model.optimizer.iterations.numpy())
        return time.perf_counter(), step, self.clock.waited

    def _report(self):
        now = self._now()
        seconds, steps, waited = (b - a for a, b in zip(self._start, now, strict=True))
        if steps:
            speed = {
                "speed/images_per_second": steps * self.model.config.batch_size / seconds,
                "speed/input_wait_share": waited / seconds,
            }
            self.files.scalars({**speed, **learning_rates(self.model), **memory_gib()}, now[1])
        self._start = now


def learning_rates(model) -> dict[str, float]:
    """The learning rates of the next step: `learning_rate/e_lr` and `learning_rate/d_lr`."""
    rates = {}
    for part, optimizer in model.optimizers().items():
        rate = optimizer.learning_rate
        if callable(rate):  # a schedule
            rate = rate(optimizer.iterations)
        rates[f"learning_rate/{part}_lr"] = float(tf.convert_to_tensor(rate))
    return rates


def memory_gib() -> dict[str, float]:
    """Memory in GiB: of each GPU, in use and at its peak, and of this process on the host."""
    memory = {}
    for number, _ in enumerate(tf.config.list_logical_devices("GPU")):
        info = tf.config.experimental.get_memory_info(f"GPU:{number}")
        memory[f"memory/gpu{number}"] = info["current"] / GIB
        memory[f"memory/gpu{number}_peak"] = info["peak"] / GIB
    resident = resident_bytes()
    if resident is not None:
        memory["memory/host"] = resident / GIB
    return memory


def resident_bytes() -> int | None:
    """Resident memory of this process; None on systems other than Linux, which do not tell."""
    if not sys.platform.startswith("linux"):
        return None
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

"""How far a run is: a bar on a terminal, a line now and then anywhere else."""

import sys
import time

import keras
from absl import logging
from tensorflow_addons.callbacks import TQDMProgressBar
from tqdm import tqdm

SHOWN = ("e_loss", "e_loss_kp", "d_loss")


def progress(end_step: int, stream=None) -> keras.callbacks.Callback:
    """What shows the progress of a run of `end_step` steps on `stream` (none: stderr)."""
    stream = sys.stderr if stream is None else stream
    return ProgressBar(end_step) if stream.isatty() else ProgressLines(end_step)


class ProgressBar(TQDMProgressBar):
    """TensorFlow Addons' bar, one an epoch: losses of the newest step, images/s, time to go."""

    def __init__(self, end_step: int):
        super().__init__(
            show_overall_progress=False,
            epoch_bar_format="{percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt} "
            "[{elapsed}<{remaining}] {desc}",
        )
        self.end_step = end_step
        self._newest = {}

    def on_train_batch_begin(self, batch, logs=None):
        self._first = batch

    def on_train_batch_end(self, batch, logs=None):
        self._newest = logs
        # The bar counts batches; one execution may be several.
        self.steps_to_update += batch - self._first
        self.steps_so_far += batch - self._first
        super().on_train_batch_end(batch, {})

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, {})

    def format_metrics(self, logs=None, factor=1):
        """Called by the bar for its text; `logs` are its own means since the epoch's start."""
        shown = [losses_text(self._newest)]
        rate = self.epoch_progress_tqdm.format_dict["rate"]
        if rate:
            shown.append(f"{rate * self.model.config.batch_size:.3g} images/s")
            steps = self.end_step - int(self.model.optimizer.iterations.numpy())
            shown.append(f"run {tqdm.format_interval(steps / rate)} to go")
        return ", ".join(shown)


class ProgressLines(keras.callbacks.Callback):
    """Logs a line after the first step, then one a minute, and one at the end of an epoch.

    Losses in it are means since the line before.

    Args:
        end_step: the run's last step.
        seconds: least time between lines.
    """

    def __init__(self, end_step: int, seconds: float = 60.0):
        super().__init__()
        self.end_step = end_step
        self.seconds = seconds
        self._due = 0.0

    def on_train_begin(self, logs=None):
        self._due = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self._restart(0)

    def on_train_batch_end(self, batch, logs=None):
        for name in SHOWN:
            if name in logs:
                self._sums[name] = self._sums.get(name, 0.0) + logs[name]
        self._count += 1
        if time.perf_counter() >= self._due:
            self._log(batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        if self._count:
            self._log(self.params["steps"])

    def _log(self, done):
        now = time.perf_counter()
        rate = (done - self._done) / max(now - self._since, 1e-9)
        step = int(self.model.optimizer.iterations.numpy())
        means = {name: total / self._count for name, total in self._sums.items()}
        logging.info(
            "Epoch %d, step %d of %d: %s, %.3g images/s, epoch %s to go, run %s",
            self.epoch + 1, step, self.end_step, losses_text(means),
            rate * self.model.config.batch_size,
            tqdm.format_interval((self.params["steps"] - done) / rate),
            tqdm.format_interval((self.end_step - step) / rate),
        )
        self._restart(done)
        self._due = now + self.seconds

    def _restart(self, done):
        self._since, self._done = time.perf_counter(), done
        self._sums, self._count = {}, 0


def losses_text(logs) -> str:
    """The losses one watches: `e_loss 12.3, e_loss_kp 3.21, d_loss 1.04`."""
    return ", ".join(f"{name} {logs[name]:.4g}" for name in SHOWN if name in logs)

"""Shows the progress of a run: a bar on a terminal, a log line now and then elsewhere."""

import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np
import tf_keras as keras
from absl import logging
from tqdm import tqdm

try:
    from tensorflow_addons.callbacks import TQDMProgressBar
except ImportError:  # There is none for Python 3.12 and newer.
    from hmr_tf2.training.epoch_bar import TQDMProgressBar


def progress(end_step: int, shown: Sequence[str], stream=None) -> keras.callbacks.Callback:
    """The callback that shows the progress of a run.

    Args:
        end_step: the run's last step.
        shown: names of the losses to show.
        stream: where the bar goes; None means stderr. If it is not a terminal, lines are logged.
    """
    stream = sys.stderr if stream is None else stream
    return (ProgressBar if stream.isatty() else ProgressLines)(end_step, shown)


class ProgressBar(TQDMProgressBar):
    """A bar per epoch: losses of the newest step, images/s, time to go.

    Args:
        end_step: the run's last step.
        shown: names of the losses to show.
    """

    def __init__(self, end_step: int, shown: Sequence[str]):
        super().__init__(
            show_overall_progress=False,
            epoch_bar_format="{percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt} "
            "[{elapsed}<{remaining}] {desc}",
        )
        self.end_step = end_step
        self.shown = shown
        self._newest = {}

    def on_train_batch_begin(self, batch, logs=None):
        self._first = batch

    def on_train_batch_end(self, batch, logs=None):
        self._newest = logs
        # The bar counts calls, but one execution may be several steps.
        self.steps_to_update += batch - self._first
        self.steps_so_far += batch - self._first
        super().on_train_batch_end(batch, {})

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, {})

    def format_metrics(self, logs=None, factor=1):
        """Called by the bar for its text; `logs` are its means since the start of the epoch."""
        shown = [losses_text(self._newest, self.shown)]
        bar = self.epoch_progress_tqdm.format_dict
        # The bar has no rate before its second refresh, and a short epoch may end before that.
        rate = bar["rate"] or self.steps_so_far / max(bar["elapsed"], 1e-3)
        if rate:
            shown.append(f"{rate * self.model.config.batch_size:.3g} images/s")
            steps = self.end_step - int(self.model.optimizer.iterations.numpy())
            shown.append(f"run {tqdm.format_interval(steps / rate)} to go")
        return ", ".join(shown)


class ProgressLines(keras.callbacks.Callback):
    """Logs a line after the first step, then one a minute, and one at the end of each epoch.

    The losses in a line are means since the previous line.

    Args:
        end_step: the run's last step.
        shown: names of the losses to show.
        seconds: shortest time between lines.
    """

    def __init__(self, end_step: int, shown: Sequence[str], seconds: float = 60.0):
        super().__init__()
        self.end_step = end_step
        self.shown = shown
        self.seconds = seconds
        self._is_first = True

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self._restart(0)

    def on_train_batch_end(self, batch, logs=None):
        self._seen.append({name: logs[name] for name in self.shown if name in logs})
        if self._is_first or time.perf_counter() - self._since >= self.seconds:
            self._log(batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        if self._seen:
            self._log(self.params["steps"])

    def _log(self, done):
        step = int(self.model.optimizer.iterations.numpy())
        means = {name: np.mean([seen[name] for seen in self._seen]) for name in self._seen[0]}
        seconds = time.perf_counter() - self._since
        rate = (done - self._done) / seconds
        if self._is_first:
            speed = f"the first step, compiled, took {seconds:.0f} s"
        else:
            speed = ", ".join(
                [
                    f"{rate * self.model.config.batch_size:.3g} images/s",
                    f"epoch {tqdm.format_interval((self.params['steps'] - done) / rate)} to go",
                    f"run {tqdm.format_interval((self.end_step - step) / rate)}",
                ]
            )
        logging.info(
            "Epoch %d, step %d of %d: %s, %s",
            self.epoch + 1,
            step,
            self.end_step,
            losses_text(means, self.shown),
            speed,
        )
        self._is_first = False
        self._restart(done)

    def _restart(self, done):
        self._since, self._done, self._seen = time.perf_counter(), done, []


def losses_text(logs: Mapping[str, float], shown: Sequence[str]) -> str:
    """The losses to show, as text: `e_loss 12.3, e_loss_kp 3.21, d_loss 1.04`."""
    return ", ".join(f"{name} {logs[name]:.4g}" for name in shown if name in logs)

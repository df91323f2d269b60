"""A bar for each epoch, where TensorFlow Addons is not installed.

Addons has none for Python 3.12 and newer. This is as much of its `TQDMProgressBar` as the progress
of a run needs, under the same names, so that what is shown does not depend on which one is there.
"""

import time

import tf_keras as keras
from tqdm import tqdm

_SECONDS = 0.1  # shortest time between two updates of the text


class TQDMProgressBar(keras.callbacks.Callback):
    """One tqdm bar an epoch; `format_metrics` gives the text behind it.

    Args:
        show_overall_progress: must be False: there is no bar over epochs.
        epoch_bar_format: tqdm's `bar_format`.
    """

    def __init__(self, show_overall_progress: bool, epoch_bar_format: str):
        super().__init__()
        if show_overall_progress:
            raise ValueError("There is no bar over epochs; pass show_overall_progress=False.")
        self.epoch_bar_format = epoch_bar_format
        self.tqdm = tqdm
        self.last_update_time = time.time()

    def on_epoch_begin(self, epoch, logs=None):
        self.steps_to_update = self.steps_so_far = 0
        tqdm.write(f"Epoch {epoch + 1}/{self.params['epochs']}")
        self.epoch_progress_tqdm = self.tqdm(
            total=self.params["steps"],
            bar_format=self.epoch_bar_format,
            dynamic_ncols=True,
            unit="steps",
        )

    def on_train_batch_end(self, batch, logs=None):
        self.steps_to_update += 1
        self.steps_so_far += 1
        if time.time() - self.last_update_time >= _SECONDS:
            self._update(self.steps_to_update)

    def on_epoch_end(self, epoch, logs=None):
        bar = self.epoch_progress_tqdm
        bar.miniters = bar.mininterval = 0
        self._update(bar.total - bar.n)
        bar.close()

    def format_metrics(self, logs=None, factor=1) -> str:
        """The text behind the bar."""
        raise NotImplementedError

    def _update(self, steps):
        self.epoch_progress_tqdm.desc = self.format_metrics()
        self.epoch_progress_tqdm.update(steps)
        self.steps_to_update = 0
        self.last_update_time = time.time()

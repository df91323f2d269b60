"""What a training run must know about a model: its System. HMR's is in `hmr_tf2.hmr.system`.

The trainer knows no particular model; a command hands it a System.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from hmr_tf2.config import RunConfig
from hmr_tf2.trained_model import TrainedModel

# Maps a model and a batch to pictures, RGB uint8 [H, W, 3], and values for histograms by tag.
Draw = Callable[[TrainedModel, Mapping[str, tf.Tensor]], tuple[list[np.ndarray], dict[str, Any]]]
# Maps the losses of a step and the settings to values by TensorBoard tag.
Tags = Callable[[Mapping[str, float], RunConfig], dict[str, float]]


class Data(Protocol):
    """The batches of a run; batch t is a function of the settings, the files and t.

    Attributes:
        num_examples: number of examples that an epoch draws from.
        steps_per_epoch: number of steps in an epoch.
        files: every record file that is read.
        num_corrupt: number of records skipped so far.
    """

    num_examples: int
    steps_per_epoch: int
    files: list[str]
    num_corrupt: int

    def batches(
        self, start_step: int = 0, shard_index: int = 0, num_shards: int = 1
    ) -> tf.data.Dataset:
        """Endless batches from step `start_step` on, or one of `num_shards` parts of each."""

    def record_names(self, step: int) -> list[str]:
        """The file and the place in it of each example of batch `step`."""

    def explain(self, error: Exception) -> ValueError | OSError | None:
        """Why the batches ended in `error`, naming the file; None if not because of a record."""


class Validation(Protocol):
    """Measures errors on people that are not trained on."""

    def errors_of(self, model: TrainedModel) -> dict[str, float]:
        """The errors by name; every name begins with `val_`."""

    def as_text(self, errors: Mapping[str, float]) -> str:
        """The errors on one line, for the log."""


@dataclasses.dataclass(frozen=True)
class System:
    """A model with its data, as a training run sees them.

    Attributes:
        name: begins the name of the run's folder if the user gives none.
        config_class: class of the settings.
        make_model: maps settings to the model, not yet compiled.
        make_data: maps settings to `Data`; raises if records are missing.
        make_validation: maps settings to a `Validation`, or to None if none is asked for.
        draw: see `Draw`; it may move the batch norms' averages, which are restored afterwards.
        tags: see `Tags`.
        shown: losses for the progress line; the first is also watched for explosions.
        best_by: validation errors; the first that was measured decides which state is best.
        input_files: maps settings to the files whose hashes go into run.json.
    """

    name: str
    config_class: type[RunConfig]
    make_model: Callable[[Any], TrainedModel]
    make_data: Callable[[Any], Data]
    make_validation: Callable[[Any], Validation | None]
    draw: Draw
    tags: Tags
    shown: tuple[str, ...]
    best_by: tuple[str, ...]
    input_files: Callable[[Any], Iterable[str | os.PathLike]]

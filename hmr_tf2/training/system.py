"""What a training run must know of a model: its System. HMR's is `hmr_tf2.hmr.system`.

The trainer knows no model; a command hands it one of these.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from hmr_tf2.config import RunConfig
from hmr_tf2.trained_model import TrainedModel

# From a model and a batch to pictures, RGB uint8 [H, W, 3], and values for histograms by tag.
Draw = Callable[[TrainedModel, Mapping[str, tf.Tensor]], tuple[list[np.ndarray], dict[str, Any]]]
# From the losses of a step and the settings to the values by TensorBoard's names.
Tags = Callable[[Mapping[str, float], RunConfig], dict[str, float]]


class Data(Protocol):
    """The batches of a run; batch t is a function of the settings, the files and t.

    Attributes:
        num_examples: examples that an epoch draws from.
        steps_per_epoch: steps of an epoch.
        files: every record file that is read.
        num_corrupt: records that were passed over so far.
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
        """File and place of each example of batch `step`."""

    def explain(self, error: Exception) -> ValueError | OSError | None:
        """Why the batches ended in `error`: names the file; None if it is not about a record."""


class Validation(Protocol):
    """Errors on people that are not trained on."""

    def errors_of(self, model: TrainedModel) -> dict[str, float]:
        """By name, each beginning with `val_`."""

    def as_text(self, errors: Mapping[str, float]) -> str:
        """The same in one line for the log."""


@dataclasses.dataclass(frozen=True)
class System:
    """A model with its data, as a training run sees them.

    Attributes:
        name: of the run's folder, where the user gives none.
        config_class: of the settings.
        make_model: from settings to the model, not yet compiled.
        make_data: from settings to `Data`; raises where records are missing.
        make_validation: from settings to a `Validation`, or None where none is asked for.
        draw: see `Draw`; called with the batch norms' averages kept.
        tags: see `Tags`.
        shown: losses for the progress line; the first is the one that failures watch.
        best_by: errors of the validation; the first that is there decides which state is best.
        input_files: from settings to the files whose hashes go into run.json.
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

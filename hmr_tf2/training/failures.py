"""Stops a run whose losses have gone wrong, and keeps the batch that did it."""

import dataclasses
import io
import json
import math
import os
import pathlib
import shlex
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tfrecords_tools.files import write_npz
from tfrecords_tools.paths import path_of

WINDOW = 1000
LEAST = 100
PATIENCE = 10
# Of one execution of several steps that ended in NaN; more would fill a disk.
MAX_BATCHES = 8


class StopOnFailure(keras.callbacks.Callback):
    """Raises when a loss is no longer finite, or one has exploded; stands first of all.

    Exploded means: for 10 steps in a row above `factor` times its median, which is taken over the
    last 1000 steps before, and of at least 100. Losses fall from where they start, so that no
    sound run comes near.

    Args:
        model_dir: where batches are written.
        read_batch: from a step's number, counted from 0, to its batch.
        records: from a step's number to what names the records in it.
        factor: see above; 0 waits for NaN.
        watched: the loss that tells an explosion. The encoder's alone does: the discriminator's
            own may fall to nearly nothing and come back as the encoder learns.

    Attributes:
        in_doubt: the watched loss is above the bound now; this state should not be saved.

    Raises:
        FloatingPointError: names loss, step, the file with the batch, and what to do.
    """

    def __init__(
        self,
        model_dir: str | os.PathLike,
        read_batch: Callable[[int], Mapping[str, tf.Tensor]],
        records: Callable[[int], Sequence[str]],
        factor: float = 100.0,
        watched: str = "e_loss",
    ):
        super().__init__()
        self.model_dir = model_dir
        self.read_batch = read_batch
        self.records = records
        self.factor = factor
        self.watched = watched
        self._before, self._count = np.empty(WINDOW), 0
        self._above = []

    @property
    def in_doubt(self) -> bool:
        return bool(self._above)

    def on_train_batch_begin(self, batch, logs=None):
        self._first = int(self.model.optimizer.iterations.numpy())

    def on_train_batch_end(self, batch, logs=None):
        steps = range(self._first, int(self.model.optimizer.iterations.numpy()))
        broken = {name: value for name, value in logs.items() if not math.isfinite(value)}
        if broken:
            name, value = next(iter(broken.items()))
            self._stop(f"{name} is {value} {_in_steps(steps)}", steps, logs)
        if self.factor:
            self._watch(steps, logs)

    def _watch(self, steps, logs):
        value = logs[self.watched]
        usual = np.median(self._before[: self._count]) if self._count >= LEAST else math.inf
        if value <= self.factor * usual:
            self._before[self._count % WINDOW] = value
            self._count += 1
            self._above = []
            return
        self._above.append((steps, dict(logs)))
        started, losses = self._above[0]
        if steps[-1] - started[0] + 1 >= PATIENCE:
            self._stop(
                f"{self.watched} is {value:.4g}, and for {PATIENCE} steps was above "
                f"{self.factor:g} times its usual {usual:.4g}; it began {_in_steps(started)}",
                started,
                losses,
            )

    def _stop(self, what, steps, logs):
        checkpoint = tf.train.latest_checkpoint(os.fspath(self.model_dir))
        where, files = self._keep(steps, logs)
        # Where all losses are finite there is no such operation.
        to_find = files and not all(map(math.isfinite, logs.values()))
        raise FloatingPointError(
            f"{what}. Losses: {', '.join(f'{n} {v:.4g}' for n, v in logs.items())}.\n"
            f"Its batch: {where}. "
            f"Last good checkpoint: {checkpoint or 'none yet'}.\n"
            # Of several the last, for on the way to it the others are run as well.
            f"{self._how_to_find(files[-1]) if to_find else ''}"
            "The same command would meet the same batch again. Look at the batch; then add "
            "--accept_changes and a lower --e_lr or --d_lr, or --clip_norm, or another --seed for "
            "another order of the data."
        )

    def _how_to_find(self, file: pathlib.Path) -> str:
        folder = shlex.quote(os.fspath(self.model_dir))
        return (
            "Find the operation that did it: "
            f"python -m hmr_tf2.replay --load_path={folder} {shlex.quote(str(file))}\n"
        )

    def _keep(self, steps, logs) -> tuple[str, list[pathlib.Path]]:
        """Writes the batches that may be at fault; tells where, and the files."""
        batches = _suspects({step: self.read_batch(step) for step in steps[:MAX_BATCHES]})
        try:
            files = [
                write_batch(self.model_dir, step + 1, batch, self.records(step), logs)
                for step, batch in batches.items()
            ]
        except OSError as error:
            return f"could not be written ({error})", []
        return ", ".join(map(str, files)), files


@dataclasses.dataclass(frozen=True)
class FailedBatch:
    """What `write_batch` wrote.

    Attributes:
        path: the file.
        step: counted from 1.
        batch: its arrays.
        records: file and place of each example.
        losses: of the step, or of the last one of several that ran at once.
    """

    path: pathlib.Path
    step: int
    batch: dict[str, np.ndarray]
    records: tuple[str, ...]
    losses: dict[str, float]


def write_batch(
    model_dir: str | os.PathLike,
    step: int,
    batch: Mapping[str, np.ndarray],
    records: Sequence[str],
    losses: Mapping[str, float],
) -> pathlib.Path:
    """Writes the arrays of a batch, and `step`, `records` and `losses` (JSON), as an .npz file.

    >>> found = np.load(path)
    >>> model.train_on_batch({name: found[name] for name in ("image", "label", ...)})
    """
    path = path_of(model_dir, f"failed_batch_{step}.npz")
    about = {
        "step": step,
        "records": np.array(records),
        "losses": json.dumps({name: float(value) for name, value in losses.items()}),
    }
    write_npz(path, **{name: np.asarray(value) for name, value in batch.items()}, **about)
    return path


def read_failed_batch(path: str | os.PathLike) -> FailedBatch:
    """Reads what `write_batch` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not the file of a failed batch, or is damaged.
    """
    path = path_of(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}. A run that ends in NaN writes failed_batch_N.npz into its "
            "folder, and tells its name."
        )
    try:
        # Without pickles, whose code would be run. A zip file has many ways to be damaged.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        step, records, losses = (arrays.pop(name) for name in ("step", "records", "losses"))
        found = FailedBatch(
            path,
            int(step),
            arrays,
            tuple(map(str, records.tolist())),
            {name: float(value) for name, value in json.loads(str(losses)).items()},
        )
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        MemoryError,
        OSError,
        RuntimeError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(
            f"{path} is not the batch of a step that failed, or is damaged ({error}). Pass a file "
            "failed_batch_N.npz as a run wrote it."
        ) from error
    if found.step < 1 or not found.batch:
        raise ValueError(
            f"{path} is damaged: it holds {len(found.batch)} arrays of a batch, of step "
            f"{found.step}; the first step is number 1."
        )
    for name, array in found.batch.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{path} is damaged: {name!r} holds {array.dtype}, not numbers.")
    return found


def _suspects(batches: Mapping[int, Mapping[str, np.ndarray]]):
    """Those that are not finite themselves, if there are any; else all."""
    broken = {
        step: batch
        for step, batch in batches.items()
        if not all(np.isfinite(value).all() for value in batch.values())
    }
    return broken or batches


def _in_steps(steps: Sequence[int]) -> str:
    """How a user counts: the first step is number 1."""
    if len(steps) == 1:
        return f"in step {steps[0] + 1}"
    return f"in one of the steps {steps[0] + 1} to {steps[-1] + 1}"

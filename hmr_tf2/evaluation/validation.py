"""Measures errors on people that are not trained on, between epochs: a few numbers, quickly."""

import os
import typing
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hmr_tf2.data.record_index import RecordIndex, index_files
from hmr_tf2.evaluation import metrics, reading
from tfrecords_tools.datasets import DATA_SETS, PICTURE, find_files, names_of

if typing.TYPE_CHECKING:
    import tf_keras as keras

PREFIX = "val_"
# Metric, as it is named in logs -> how it is shown.
METRICS = {
    "keypoint_px": "2-D {:.2f} px",
    "mpjpe_mm": "MPJPE {:.1f} mm",
    "pa_mpjpe_mm": "PA-MPJPE {:.1f} mm",
}

Predict = Callable[[np.ndarray], Mapping[str, np.ndarray]]

DATASETS = names_of(kind=PICTURE, has_test=True)


class Validation:
    """The test records of some data sets, and the errors of a model on them.

    It is made before training, so that a missing data set is reported at once.

    >>> validation = Validation(config.data_dir, ("h36m", "lsp"), limit=512)
    >>> validation.errors_of(model)  # at the end of each epoch

    Args:
        data_dir: the folder that convert_datasets wrote.
        datasets: some of `DATASETS`.
        limit: number of people of each data set, evenly spaced and the same ones each time; 0
            means all.
        batch_size: crops in a call of the model; the last call of a data set gets what is left.
        img_size: side of a crop, pixels.

    Raises:
        ValueError, FileNotFoundError: a data set has no test records, or they are missing.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike,
        datasets: Sequence[str],
        limit: int = 0,
        batch_size: int = 32,
        img_size: int = 224,
    ):
        self._img_size = img_size
        self._people = {name: _people(data_dir, name, limit, batch_size) for name in datasets}

    def run(self, predict: Predict) -> dict[str, float]:
        """The errors of `predict` on each data set.

        Args:
            predict: maps crops, float32 [N, S, S, 3] in [-1, 1], to a dict with `joints`
                [N, K, 2] in pixels of the crop and `joints3d` [N, K, 3] in metres, like
                `HMR.predict_on_batch` and `Predictor.predict_crops`.

        Returns:
            `val_<data set>_keypoint_px`, the mean distance of the visible keypoints; for data
            sets with 3-D joints also `val_<data set>_mpjpe_mm` and `val_<data set>_pa_mpjpe_mm`.
        """
        results = {}
        for name, (index, batches) in self._people.items():
            for metric, value in self._errors(predict, name, index, batches).items():
                results[f"{PREFIX}{name}_{metric}"] = value
        return results

    def errors_of(self, model: "keras.Model") -> dict[str, float]:
        """What `run` returns for a model's `predict_on_batch`, and the means over data sets.

        The mean of a metric, `val_<metric>`, is taken over the data sets that have the metric.
        """
        errors = self.run(model.predict_on_batch)
        return errors | means(errors)

    def as_text(self, errors: Mapping[str, float]) -> str:
        """See the function of this name."""
        return as_text(errors)

    def _errors(self, predict, name, index, batches):
        has_3d = DATA_SETS[name].has_3d
        parts = []
        for batch in reading.read_batches(index, batches, has_3d=has_3d, img_size=self._img_size):
            out = predict(batch["image"])
            errors_px = metrics.keypoint_errors(batch["keypoints"], np.asarray(out["joints"]))
            is_visible = batch["keypoints"][:, : errors_px.shape[1], 2] > 0
            errors = {"keypoint_px": errors_px[is_visible]}
            if has_3d:
                errors["mpjpe_mm"], errors["pa_mpjpe_mm"] = metrics.compute_errors(
                    metrics.lsp_millimetres(batch["joints3d"]),
                    metrics.lsp_millimetres(out["joints3d"]),
                )
            parts.append(errors)
        return {
            metric: _mean(np.concatenate([errors[metric] for errors in parts]))
            for metric in parts[0]
        }


def _mean(values):
    return float(values.mean()) if values.size else float("nan")


def _people(data_dir, dataset, limit, batch_size) -> tuple[RecordIndex, list[np.ndarray]]:
    if dataset not in DATASETS:
        raise ValueError(
            f"{dataset!r} has no people who are set aside for testing; --val_datasets accepts "
            f"{', '.join(DATASETS)}."
        )
    index = index_files(find_files(data_dir, [dataset], "test")[dataset])
    if not len(index):
        raise ValueError(f"The test records of {dataset!r} in {data_dir} are empty.")
    count = min(limit, len(index)) if limit else len(index)
    return index, reading.in_batches(np.arange(count) * len(index) // count, batch_size)


def means(errors: Mapping[str, float]) -> dict[str, float]:
    """The means `val_<metric>` of `val_<data set>_<metric>`; each data set counts the same."""
    found: dict[str, list[float]] = {}
    for name, value in errors.items():
        found.setdefault(_metric(name), []).append(value)
    return {f"{PREFIX}{metric}": float(np.mean(values)) for metric, values in found.items()}


def as_text(errors: Mapping[str, float]) -> str:
    """`h36m 2-D 6.02 px, MPJPE 88.1 mm, PA-MPJPE 57.0 mm; lsp 2-D 7.11 px`, without the means."""
    shown: dict[str, list[str]] = {}
    for name, value in errors.items():
        metric = _metric(name)
        dataset = name.removeprefix(PREFIX).removesuffix(metric).rstrip("_")
        if dataset:
            shown.setdefault(dataset, []).append(METRICS[metric].format(value))
    return "; ".join(f"{dataset} {', '.join(texts)}" for dataset, texts in shown.items())


def _metric(name):
    # The longest one that fits, since one metric's name is the end of another's.
    return max((metric for metric in METRICS if name.endswith(metric)), key=len)

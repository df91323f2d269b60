"""Runs an evaluation: predictions for each recording, their errors, the report."""

import itertools
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tqdm
from absl import logging

import hmr_tf2
from hmr_tf2.data.record_index import index_files
from hmr_tf2.evaluation import extremes, predictions, reading, report, tables
from hmr_tf2.evaluation.frames import measure
from hmr_tf2.evaluation.predictions import Arrays
from hmr_tf2.evaluation.protocols import Protocol
from hmr_tf2.evaluation.summary import summarise
from hmr_tf2.evaluation.validation import Predict
from hmr_tf2.predictor import Predictor


def evaluate(
    protocol: Protocol,
    predictor: Predictor,
    model_path: str,
    model_files: Sequence[pathlib.Path],
    out_dir: str | os.PathLike,
    *,
    frame_step: int = 1,
    overwrite: bool = False,
    num_pictures: int = 30,
) -> tuple[str, pathlib.Path]:
    """Evaluates a predictor on the recordings of a protocol and writes the report.

    Args:
        protocol: what to evaluate.
        predictor: the model.
        model_path: its checkpoint or SavedModel, to be named in the report.
        model_files: the files that determine what it predicts (`loading.model_files`).
        out_dir: folder for `predictions/<people>/<recording>.h5`, and the report in `<protocol>/`.
        frame_step: evaluate one of so many frames of a recording.
        overwrite: whether to predict again what is already there.
        num_pictures: number of pictures of the largest errors, and of the smallest.

    Returns:
        The tables as text, and the path of the page.

    Raises:
        OSError, ValueError: records cannot be read.
        FloatingPointError: the model predicts NaN or infinity.
    """
    out_dir = pathlib.Path(out_dir)
    model_key = predictions.fingerprint(model_files)
    predicted = predict_all(
        protocol,
        predictor.predict_crops,
        model_key,
        out_dir / "predictions" / protocol.people,
        frame_step=frame_step,
        batch_size=predictor.batch_size,
        img_size=predictor.img_size,
        overwrite=overwrite,
    )
    frames = measure(protocol, predicted)
    summary = summarise(protocol, frames)
    notes = _notes(protocol, model_path, len(frames), frame_step)
    # The shards of other data sets are not recordings: which people share one means nothing.
    limit = extremes.PER_RECORDING if protocol.grouped_by else None
    worst, best = (
        extremes.draw(protocol, frames[chosen], predicted, predictor)
        for chosen in extremes.worst_and_best(frames, num_pictures, limit)
    )
    page = report.write_report(
        out_dir / protocol.name,
        protocol,
        frames,
        summary,
        about={
            "hmr_tf2": hmr_tf2.__version__,
            "model": model_path,
            "model_fingerprint": model_key,
            "frame_step": frame_step,
            "missing_recordings": protocol.missing,
        },
        notes=notes,
        worst=worst,
        best=best,
    )
    text = tables.as_text(tables.tables_of(protocol, summary))
    return "\n".join([protocol.title, *notes, "", text]), page


def _notes(protocol, model_path, num_frames, frame_step) -> list[str]:
    """What a reader must know besides the numbers."""
    of_each = f", every {frame_step}th of each recording" if frame_step > 1 else ""
    notes = [f"{model_path} on {num_frames:,} frames{of_each}."]
    if protocol.missing:
        total = len(protocol.missing) + len(protocol.recordings)
        notes.append(
            f"Not comparable with published numbers: {len(protocol.missing)} of {total} "
            f"recordings are missing, among them {', '.join(protocol.missing[:5])}."
        )
    return notes


def predict_all(
    protocol: Protocol,
    predict: Predict,
    model_key: str,
    folder: str | os.PathLike,
    *,
    frame_step: int = 1,
    batch_size: int = 32,
    img_size: int = 224,
    overwrite: bool = False,
) -> dict[str, Arrays]:
    """Recording -> its predictions, which are kept in `folder` for the next time.

    A recording is written when it is complete, so a run that was stopped continues with the
    recording that it was working on. A file made with other weights, other records or other
    settings is not used. Recordings without records are left out.

    Args:
        protocol: what to evaluate.
        predict: see `validation.Predict`; its result must also have `theta` and `cams`.
        model_key: `predictions.fingerprint` of the model's files.
        folder: the folder of the files `<recording>.h5`.
        frame_step: predict one of so many frames of a recording.
        batch_size: crops in a call of `predict`; the last call of a recording gets what is left.
        img_size: side of a crop, pixels.
        overwrite: whether to predict again what is already there.

    Raises:
        OSError, ValueError: records cannot be read.
        FloatingPointError: the model predicts NaN or infinity.
    """
    index = index_files([recording.file for recording in protocol.recordings])
    rows_of, keys = {}, {}
    for number, recording in enumerate(protocol.recordings):
        rows = np.flatnonzero(index.file_of == number)[::frame_step]
        if len(rows):
            rows_of[recording.name] = rows
            keys[recording.name] = predictions.fingerprint(
                [recording.file], model=model_key, step=frame_step, img_size=img_size
            )
    if not rows_of:
        raise ValueError(f"The records of {protocol.title} are empty: {index.paths[0]} ...")
    paths = {name: pathlib.Path(folder) / f"{name}.h5" for name in rows_of}
    found = {} if overwrite else _stored(paths, keys)
    if found:
        logging.info(
            "%s: reusing the predictions for %d of %d recordings in %s",
            protocol.title,
            len(found),
            len(paths),
            folder,
        )

    todo = {
        name: reading.in_batches(rows, batch_size)
        for name, rows in rows_of.items()
        if name not in found
    }
    parts = predictions.predict_batches(
        predict,
        index,
        [batch for batches in todo.values() for batch in batches],
        protocol.has_3d,
        img_size,
    )
    with tqdm.tqdm(
        total=sum(map(len, rows_of.values())),
        initial=sum(len(rows_of[name]) for name in found),
        unit="frame",
        desc=protocol.title,
    ) as bar:
        for name, batches in todo.items():
            arrays = _joined(itertools.islice(parts, len(batches)), bar)
            arrays["record"] = np.arange(len(rows_of[name])) * frame_step
            predictions.save(paths[name], arrays, keys[name])
            bar.set_postfix_str(_progress(protocol, name, arrays))
            found[name] = arrays
    return {name: found[name] for name in rows_of}


def _stored(paths: Mapping[str, pathlib.Path], keys: Mapping[str, str]) -> dict[str, Arrays]:
    loaded = {name: predictions.load(path, keys[name]) for name, path in paths.items()}
    return {name: arrays for name, arrays in loaded.items() if arrays is not None}


def _joined(parts: Iterable[Arrays], bar: tqdm.tqdm) -> dict[str, np.ndarray]:
    """Joins batches end to end; the bar advances with each."""
    taken: list[Arrays] = []
    for part in parts:
        taken.append(part)
        bar.update(len(part["truth/keypoints"]))
    return {name: np.concatenate([part[name] for part in taken]) for name in taken[0]}


def _progress(protocol: Protocol, name: str, arrays: Arrays) -> str:
    """The text beside the bar: the mean error of the last recording."""
    frames = measure(protocol, {name: arrays})
    return f"{name} {frames.ranking.mean():.1f} {frames.unit}"

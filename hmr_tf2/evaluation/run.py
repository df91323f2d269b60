"""Runs an evaluation: predictions for each recording, their errors, the report."""

import itertools
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tqdm
from absl import logging

import hmr_tf2
from hmr_tf2.data.record_index import index_files
from hmr_tf2.evaluation import extremes, predictions, reading, report, tables
from hmr_tf2.evaluation.frames import measure
from hmr_tf2.evaluation.predictions import Arrays, Kept
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
    shelf = _shelf(protocol, index, pathlib.Path(folder), frame_step, model_key, img_size)
    if not shelf:
        raise ValueError(f"The records of {protocol.title} are empty: {index.paths[0]} ...")
    found = {} if overwrite else predictions.load_all(shelf)
    if found:
        logging.info(
            "%s: reusing the predictions for %d of %d recordings in %s",
            protocol.title,
            len(found),
            len(shelf),
            folder,
        )
    todo = {name: kept for name, kept in shelf.items() if name not in found}
    with tqdm.tqdm(
        total=sum(len(kept.rows) for kept in shelf.values()),
        initial=sum(len(shelf[name].rows) for name in found),
        unit="frame",
        desc=protocol.title,
        disable=None,
    ) as bar:
        for name, arrays in _predicted(
            todo, predict, index, protocol.has_3d, batch_size, img_size, bar.update
        ):
            arrays["record"] = np.arange(len(shelf[name].rows)) * frame_step
            predictions.save(shelf[name].path, arrays, shelf[name].key)
            bar.set_postfix_str(_progress(protocol, name, arrays))
            found[name] = arrays
    return {name: found[name] for name in shelf}


def _shelf(protocol, index, folder, frame_step, model_key, img_size) -> dict[str, Kept]:
    """Where the predictions for each recording that has records are kept."""
    shelf = {}
    for number, recording in enumerate(protocol.recordings):
        rows = np.flatnonzero(index.file_of == number)[::frame_step]
        if len(rows):
            key = predictions.fingerprint(
                [recording.file], model=model_key, step=frame_step, img_size=img_size
            )
            shelf[recording.name] = Kept(rows, folder / f"{recording.name}.h5", key)
    return shelf


def _predicted(
    todo: Mapping[str, Kept], predict, index, has_3d, batch_size, img_size, update
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields each recording's name and predictions; `update(n)` is called with the frames done.

    All recordings are one stream of batches, so that records are read ahead over their borders.
    """
    batches_of = {name: reading.in_batches(kept.rows, batch_size) for name, kept in todo.items()}
    batches = [batch for of_recording in batches_of.values() for batch in of_recording]
    parts = predictions.predict_batches(predict, index, batches, has_3d, img_size)
    for name, of_recording in batches_of.items():
        taken = []
        for part in itertools.islice(parts, len(of_recording)):
            taken.append(part)
            update(len(part["truth/keypoints"]))
        yield name, {key: np.concatenate([part[key] for part in taken]) for key in taken[0]}


def _progress(protocol: Protocol, name: str, arrays: Arrays) -> str:
    """The text beside the bar: the mean error of the last recording."""
    frames = measure(protocol, {name: arrays})
    return f"{name} {frames.ranking.mean():.1f} {frames.unit}"

"""Writes a SavedModel that TF Serving loads as it is, after comparing it with the Keras model."""

import contextlib
import os
import pathlib
import shutil
import tempfile

import numpy as np
import tensorflow as tf
from absl import logging

from hmr_tf2.hmr import HMR, decode_theta
from hmr_tf2.networks.regressor import NUM_THETA
from hmr_tf2.predictor import load_export
from hmr_tf2.smpl.rig import load_rig

# Float32 rounding between Keras' graph and the exported one: millionths of the values (metres,
# pixels up to 224).
TOLERANCE = 1e-4


def export(model: HMR, export_dir: str | os.PathLike, version: int | None = None) -> pathlib.Path:
    """Writes `<export_dir>/<version>/` and checks what was written against the model.

    The folder appears under its name only when the check has passed, so that a server polling
    `export_dir` never sees half a model.

    Args:
        model: what to export.
        export_dir: folder of the versions.
        version: a positive number; none means the next one.

    Returns:
        The folder of the version.

    Raises:
        FileExistsError: the version is there already.
        ValueError: `version` is not positive, or the check failed.
    """
    export_dir = pathlib.Path(export_dir)
    target = export_dir / str(_next_version(export_dir) if version is None else version)
    if version is not None and version < 1:
        raise ValueError(f"--version must be at least 1; got {version}.")
    if target.exists():
        raise FileExistsError(
            f"{target} exists: give another --version, or none for the next one."
        )
    export_dir.mkdir(parents=True, exist_ok=True)
    partial = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=export_dir))
    try:
        module = serving_module(model)
        with _only_errors_logged():
            tf.saved_model.save(module, str(partial), {"serving_default": module.predict_crops})
        check_export(model, partial)
        partial.chmod(0o755)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def serving_module(model: HMR) -> tf.Module:
    """A module with the variables of prediction, its functions and the body's `rig`.

    No Keras objects: these would bring the training graph with them.
    """
    size = model.config.img_size
    module = tf.Module(name="hmr")
    module.weights = [
        *model.encoder.variables, *model.regressor.variables, *model.smpl.variables
    ]
    rig = load_rig(model.config.smpl_model_path)
    module.rig = {
        name: tf.Variable(value, trainable=False) for name, value in rig._asdict().items()
    }
    module.decode_theta = tf.function(
        lambda theta: decode_theta(model.smpl, theta, size),
        input_signature=[tf.TensorSpec([None, NUM_THETA], tf.float32, "theta")],
    )
    module.predict_crops = tf.function(
        model.call, input_signature=[tf.TensorSpec([None, size, size, 3], tf.float32, "images")]
    )
    return module


def check_export(model: HMR, folder: pathlib.Path) -> None:
    """Loads the folder again and compares its outputs with the model's, for batches of 1 and 3.

    Raises:
        ValueError: an output differs; names it and by how much.
    """
    predict = load_export(folder)
    size = model.config.img_size
    images = np.random.default_rng(0).uniform(-1, 1, (3, size, size, 3)).astype(np.float32)
    for batch in (images[:1], images):
        expected, got = model.predict_on_batch(batch), predict(batch)
        if set(expected) != set(got):
            raise ValueError(f"The export has the outputs {sorted(got)}, not {sorted(expected)}.")
        for name, value in expected.items():
            error = float(np.max(np.abs(value - got[name])))
            if not error <= TOLERANCE * max(1.0, float(np.max(np.abs(value)))):
                raise ValueError(
                    f"The exported {name} differs from the Keras model's by {error:g}; "
                    "nothing was written."
                )


@contextlib.contextmanager
def _only_errors_logged():
    """TensorFlow remarks on names it mends and files it writes, which nobody can act on."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def _next_version(export_dir):
    return 1 + max((int(v.name) for v in export_dir.glob("*") if v.name.isdigit()), default=0)

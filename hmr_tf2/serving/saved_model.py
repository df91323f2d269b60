"""Writes a SavedModel that TF Serving loads as it is; before that, compares it with the model."""

import contextlib
import os
import pathlib
from collections.abc import Callable

import tensorflow as tf
from absl import logging

from hmr_tf2.checkpoints import tf1
from hmr_tf2.hmr import HMR
from hmr_tf2.serving import server_files
from hmr_tf2.serving.export_check import TOLERANCE, check_export
from hmr_tf2.serving.signatures import SIGNATURES, serving_module
from hmr_tf2.serving.version_file import write_version
from hmr_tf2.serving.warmup import write_warmup
from hmr_tf2.smpl import plain_gradient
from tfrecords_tools.files import making_folder
from tfrecords_tools.locks import locked
from tfrecords_tools.paths import path_of


def export(
    model: HMR,
    export_dir: str | os.PathLike,
    version: int | None = None,
    vertices: bool = True,
    encoder: Callable[[tf.Tensor], tf.Tensor] | None = None,
    tolerance: float = TOLERANCE,
) -> pathlib.Path:
    """Writes `<export_dir>/<version>/` and checks what was written against the model.

    The folder appears under its name only when the check has passed, so that a server polling
    `export_dir` never sees half a model. The server's own files are beside the versions, in
    `<export_dir>/server/`.

    Args:
        model: the model to export.
        export_dir: folder of the versions.
        version: a positive number; None means the next one.
        vertices: whether the signatures return `verts`, which make up nearly all of an answer.
        encoder: as for `serving_module`.
        tolerance: as for `check_export`.

    Returns:
        The folder of the version.

    Raises:
        FileExistsError: the version exists already.
        InUseError: another export is writing there.
        ValueError: `version` is not positive, or the check failed.
    """
    if version is not None and version < 1:
        raise ValueError(f"--version must be at least 1; got {version}.")
    tf1.check_name(export_dir)
    export_dir = path_of(export_dir)
    export_dir.mkdir(parents=True, exist_ok=True)
    with locked(export_dir, "Wait until that export has finished."):
        target = export_dir / str(_next_version(export_dir) if version is None else version)
        if target.exists():
            raise FileExistsError(
                f"{target} exists: give another --version, or omit it to get the next one."
            )
        _write(model, target, vertices, encoder, tolerance)
    return target


def _write(model, target, vertices, encoder, tolerance):
    export_dir = target.parent
    with making_folder(target) as partial:
        module = serving_module(model, vertices, encoder)
        with _only_errors_logged(), plain_gradient():
            tf.saved_model.save(
                module, str(partial), {name: getattr(module, name) for name in SIGNATURES}
            )
        check_export(model, partial, tolerance)
        server_files.write_server_files(export_dir)
        write_warmup(
            partial,
            server_files.served_name(export_dir),
            server_files.batch_sizes(export_dir),
            model.config.img_size,
        )
        write_version(partial)


@contextlib.contextmanager
def _only_errors_logged():
    """Silences remarks on names that TensorFlow changes and files that it writes."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def _next_version(export_dir):
    return 1 + max((int(v.name) for v in export_dir.glob("*") if v.name.isdigit()), default=0)

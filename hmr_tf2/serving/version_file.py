"""The version of hmr_tf2 that wrote an export, in a small file inside the version's folder."""

import json
import os
import pathlib

import hmr_tf2
from tfrecords_tools.paths import path_of

# TensorFlow leaves the folder `assets.extra` of a SavedModel to anyone who has something to add,
# and servers ignore the names there that they do not know.
VERSION_FILE = pathlib.PurePath("assets.extra", "hmr_tf2.json")


def write_version(folder: str | os.PathLike) -> None:
    """Writes `assets.extra/hmr_tf2.json`, without a date, so that equal exports have equal files.

    Args:
        folder: the version's folder.
    """
    path = path_of(folder) / VERSION_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"hmr_tf2": hmr_tf2.__version__}) + "\n", encoding="utf-8")


def read_version(folder: str | os.PathLike) -> str | None:
    """The version that wrote an export; None for an export of 0.1.0, which did not say.

    Args:
        folder: the version's folder.

    Raises:
        ValueError: the file is damaged.
    """
    path = path_of(folder) / VERSION_FILE
    if not path.exists():
        return None
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["hmr_tf2"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}); export the model again."
        ) from error

"""Records where a run's numbers come from: program, packages, machine, data and settings."""

import contextlib
import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf

import hmr_tf2
from tfrecords_tools import manifest
from tfrecords_tools.files import sha256_of, write_text
from tfrecords_tools.paths import path_of

FILE = "run.json"


def write_provenance(
    model_dir: str | os.PathLike,
    settings: Any,
    record_files: Iterable[str],
    input_files: Iterable[str | os.PathLike],
    start_step: int,
) -> pathlib.Path:
    """Adds this session to `run.json` in a run's folder; earlier sessions stay as they are.

    Args:
        model_dir: the run's folder, which must exist.
        settings: the dataclass of the run's settings.
        record_files: every record file that the run trains on.
        input_files: other files that the results depend on; their hashes are written.
        start_step: number of steps done before this session.

    Raises:
        ValueError: `run.json` exists and is damaged.
        OSError: it cannot be written.
    """
    path = path_of(model_dir, FILE)
    sessions = read_provenance(model_dir) if path.exists() else []
    sessions.append(
        {
            "began": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "start_step": start_step,
            "command": sys.argv,
            "hmr_tf2": hmr_tf2.__version__,
            "git": git_state(pathlib.Path(hmr_tf2.__file__).parents[1]),
            "flags": dataclasses.asdict(settings),
            "data": describe_records(record_files),
            "models": {str(path): sha256_of(path) for path in input_files},
            "machine": _machine(),
            "packages": _packages(),
        }
    )
    write_text(path, json.dumps({"sessions": sessions}, indent=1) + "\n")
    return path


def read_provenance(model_dir: str | os.PathLike) -> list[dict]:
    """The sessions of a run, oldest first.

    Raises:
        OSError, ValueError: there is no `run.json`, or it is damaged.
    """
    path = path_of(model_dir, FILE)
    with only_documents(path):
        return list(json.loads(path.read_text(encoding="utf-8"))["sessions"])


@contextlib.contextmanager
def only_documents(path: pathlib.Path) -> Iterator[None]:
    """Turns errors in the block, which reads an account of the run, into what to do about them."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}). It only documents the run: "
            "move it away, and the run continues with a new one."
        ) from error


def git_state(folder: pathlib.Path) -> dict | None:
    """The program's revision, and whether it has changed since; None outside a git checkout."""
    if not (folder / ".git").exists():
        return None

    def git(*arguments):
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.strip()

    try:
        return {
            "revision": git("rev-parse", "HEAD"),
            "changed": bool(git("status", "--porcelain", "--", "hmr_tf2", "tfrecords_tools")),
        }
    except (OSError, subprocess.SubprocessError):
        return None  # git is not installed, or refuses a folder that another user owns.


def describe_records(files: Iterable[str]) -> dict[str, Any]:
    """What identifies the records: hashes of their manifests, which hold those of the shards.

    Returns:
        `manifests`: path -> SHA-256; and, for records that the original's programs wrote,
        `without_manifest`: folder -> number of files and of bytes.
    """
    folders: dict[pathlib.Path, set[str]] = {}
    for file in map(path_of, files):
        folders.setdefault(file.parent, set()).add(file.name)
    manifests, bare = {}, {}
    for folder, names in sorted(folders.items()):
        for path in sorted(folder.glob(f"*{manifest.SUFFIX}")):
            shards = {shard.file for shard in manifest.load(path).shards}
            if shards & names:
                manifests[str(path)] = sha256_of(path)
                names = names - shards
        if names:
            sizes = [(folder / name).stat().st_size for name in names]
            bare[str(folder)] = {"files": len(sizes), "bytes": sum(sizes)}
    return {"manifests": manifests, "without_manifest": bare}


def _machine():
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "devices": [
            tf.config.experimental.get_device_details(device).get("device_name", device.name)
            for device in tf.config.list_physical_devices()
        ],
    }


def _packages():
    found = {
        package.metadata["Name"]: package.version for package in importlib.metadata.distributions()
    }
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))

"""Our own checkpoints: a run's folder, with its newest states and its flags, and how to resume."""

import os
import pathlib
import re
from collections.abc import Iterator

import tensorflow as tf
from absl import logging

from hmr_tf2.checkpoints import tf1
from hmr_tf2.checkpoints.tf1 import READ_ERRORS
from hmr_tf2.checkpoints.weights import restore_tf1
from tfrecords_tools.paths import path_of, remove_folder

FLAGS_FILE = "flags.cfg"
# TensorFlow's list of the checkpoints in a folder.
LIST_FILE = "checkpoint"
# TensorFlow writes this key into every object-based checkpoint, and never into one of TF 1.
OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
# The optimiser of the first part counts the steps.
STEP_KEY = "e_optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE"


def training_state(model) -> tf.train.Checkpoint:
    """All that a run needs to continue: the networks and their optimisers, which hold the step.

    The body is not part of it: it is read from the SMPL file.
    """
    optimizers = {
        # The loss scale of float16 is left out and found again, so that the precision may change.
        f"{part}_optimizer": getattr(optimizer, "inner_optimizer", optimizer)
        for part, optimizer in model.optimizers().items()
    }
    return tf.train.Checkpoint(**model.checkpoint_parts(), **optimizers)


def latest_checkpoint(path: str | os.PathLike) -> str | None:
    """The prefix of the newest whole checkpoint if `path` is a run's folder, else None.

    Raises:
        ValueError: the folder holds checkpoints, but all of them are damaged.
    """
    return next(whole_checkpoints(path), None)


def whole_checkpoints(path: str | os.PathLike) -> Iterator[str]:
    """The prefixes of the whole checkpoints in a run's folder, the newest first.

    Those that the folder's file `checkpoint` lists come first; then all others that are there, for
    that file may be lost, empty or damaged.

    Raises:
        ValueError: the folder holds checkpoints, and all of them are damaged; or TensorFlow cannot
            read from a folder of its name.
    """
    path = path_of(path)
    listed = _listed(path)
    found = [*listed, *(prefix for prefix in _numbered(path) if prefix not in listed)]
    if found:
        tf1.check_name(path)
    num_whole = 0
    for prefix in found:
        fault = damage(prefix)
        if fault is not None:
            logging.warning("Skipping %s, which is damaged: %s", prefix, fault)
            continue
        if not num_whole and prefix not in listed:
            logging.warning(
                "The file `checkpoint` in %s lists no whole checkpoint. The newest one that is "
                "there is taken, %s; those that the file does not list are never deleted.",
                path,
                os.path.basename(prefix),
            )
        num_whole += 1
        yield prefix
    if found and not num_whole:
        raise ValueError(
            f"{found[0]} is damaged, and so are those before it. Put back a copy of one, or pass "
            "another --model_dir to start a new run."
        )


def _listed(folder) -> list[str]:
    """What the file `checkpoint` lists, the one to continue from first; nothing without one."""
    try:
        state = tf.train.get_checkpoint_state(os.fspath(folder))
    except READ_ERRORS:  # not UTF-8, or empty
        return []
    if state is None:
        return []
    # Users who go back to an older state name it in this file.
    newest = [state.model_checkpoint_path, *reversed(state.all_model_checkpoint_paths)]
    return list(dict.fromkeys(newest))


def _numbered(folder) -> list[str]:
    """The checkpoints of a run that lie in its folder, the newest first."""
    numbers = [
        int(match[1])
        for path in path_of(folder).glob("ckpt-*.index")
        if (match := re.fullmatch(r"ckpt-(\d+)", path.stem))
    ]
    return [os.path.join(folder, f"ckpt-{number}") for number in sorted(numbers, reverse=True)]


def step_of(prefix: str) -> int:
    """The number of steps after which a checkpoint was written; 0 where it does not say."""
    reader = tf1.reader_of(prefix)
    return int(reader.get_tensor(STEP_KEY)) if reader.has_tensor(STEP_KEY) else 0


def damage(prefix: str) -> str | None:
    """What is wrong with a checkpoint's files, or None; reads every value, with its checksum."""
    try:
        reader = tf1.reader_of(prefix)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except READ_ERRORS as error:
        return str(error).splitlines()[0]
    return None


def tidy(folder: str | os.PathLike) -> None:
    """Readies a run's folder for its next checkpoint, after whatever ended the run before.

    What a writer that was killed left of a checkpoint is deleted: it is of no use, and may take as
    much space as a whole one. TensorFlow writes into a folder `ckpt-N_temp` and moves the data
    from there, then the index, without which the data cannot be read. Copies under other names,
    and whole checkpoints that no list names, are the user's and stay.

    A file `checkpoint` that cannot be read would stop TensorFlow; it is renamed.
    """
    for path in path_of(folder).glob("ckpt-*"):
        if re.fullmatch(r"ckpt-\d+_temp", path.name) and path.is_dir():
            remove_folder(path)
        elif re.fullmatch(r"ckpt-\d+\.(data-\d+-of-\d+|index)\.tempstate\d+", path.name):
            path.unlink()
        elif match := re.fullmatch(r"(ckpt-\d+)\.data-\d+-of-\d+", path.name):
            if not path.with_name(f"{match[1]}.index").exists():
                path.unlink()
    listing = path_of(folder, LIST_FILE)
    if listing.exists() and not _listed(folder):
        tf.io.gfile.rename(os.fspath(listing), f"{os.fspath(listing)}.damaged", overwrite=True)


def is_of_a_run(path: str | os.PathLike) -> bool:
    """Whether `path` is the folder of one of our runs, or one of its checkpoints."""
    prefix = latest_checkpoint(path) if path_of(path).is_dir() else os.fspath(path)
    if prefix is None or not path_of(f"{prefix.removesuffix('.index')}.index").is_file():
        return False
    return OBJECT_GRAPH_KEY in tf1.open_checkpoint(prefix).shapes


def checkpoint_prefix(path: str | os.PathLike) -> str:
    """The checkpoint that `--load_path` names by a run's folder, a prefix, or an `.index` file.

    Raises:
        FileNotFoundError: there is no such checkpoint.
    """
    path = path_of(path)
    if path.is_dir():
        prefix = latest_checkpoint(path)
        if prefix is None:
            raise FileNotFoundError(
                f"{path} holds no checkpoint of a training run{_what_else(path)}. Pass the folder "
                "of a run that has saved one, or the prefix of a TF 1 checkpoint."
            )
        return prefix
    prefix = os.fspath(path).removesuffix(".index")
    tf1.open_checkpoint(prefix)
    return prefix


def _what_else(folder) -> str:
    """What a folder without checkpoints is instead, for a message."""
    folder, name = path_of(folder), "saved_model.pb"
    is_export = (folder / name).is_file() or any(folder.glob(f"[0-9]*/{name}"))
    return "; it is an export, whose weights can be used but not trained" if is_export else ""


def flags_file(path: str | os.PathLike) -> pathlib.Path | None:
    """The flagfile of the run that `path` (a folder or a checkpoint in it) belongs to."""
    path = path_of(path)
    file = (path if path.is_dir() else path.parent) / FLAGS_FILE
    return file if file.is_file() else None


def restore(model, path: str | os.PathLike) -> str:
    """Restores a compiled model from one of our checkpoints or from a TF 1 checkpoint.

    Ours include the optimisers and the step; a TF 1 checkpoint brings weights only.

    Returns:
        The prefix of the checkpoint that was read.

    Raises:
        OSError, ValueError: there is no checkpoint, it is damaged, or it does not fit the model.
    """
    prefix = checkpoint_prefix(path)
    names = tf1.open_checkpoint(prefix).shapes
    if OBJECT_GRAPH_KEY not in names:
        if model.holds_encoder_only(names):
            raise ValueError(
                f"{prefix} holds only an image encoder, not a whole model: pass it as "
                "--pretrained_model_path."
            )
        restore_tf1(model, prefix)
        return prefix
    try:
        status = training_state(model).read(prefix)
        status.assert_existing_objects_matched().expect_partial()
    except (*READ_ERRORS, AssertionError) as error:
        hint = f"{FLAGS_FILE} beside it lists them."
        if flags_file(prefix) is None:
            hint = (
                f"{FLAGS_FILE}, in which a run keeps them, is not beside it, so the defaults are "
                "assumed. Put it back, or write one with a line such as "
                "--model_type=small_resnet_fc3_dropout."
            )
        raise ValueError(
            f"{prefix} does not fit the model or is damaged: {str(error).splitlines()[0]}\n"
            f"Was it trained with other settings (model_type, num_stage, encoder_only)? {hint}"
        ) from error
    return prefix

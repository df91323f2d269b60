"""Our own checkpoints: a run's folder, with its newest states and its flags, and how to resume."""

import os
import pathlib
import shutil
from collections.abc import Iterator

import tensorflow as tf
from absl import logging

from hmr_tf2.checkpoints import tf1
from hmr_tf2.checkpoints.tf1 import READ_ERRORS
from hmr_tf2.checkpoints.weights import restore_tf1

FLAGS_FILE = "flags.cfg"
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
        ValueError: the folder lists checkpoints, but all of them are damaged.
    """
    return next(whole_checkpoints(path), None)


def whole_checkpoints(path: str | os.PathLike) -> Iterator[str]:
    """The prefixes of the whole checkpoints in a run's folder, the newest first.

    Raises:
        ValueError: the folder names checkpoints, and all of them are damaged.
    """
    state = tf.train.get_checkpoint_state(os.fspath(path)) if os.path.isdir(path) else None
    if state is None:
        return
    num_whole = 0
    for prefix in reversed(state.all_model_checkpoint_paths):
        fault = damage(prefix)
        if fault is None:
            num_whole += 1
            yield prefix
        else:
            logging.warning("Skipping %s, which is damaged: %s", prefix, fault)
    if not num_whole:
        raise ValueError(
            f"{state.model_checkpoint_path} is damaged, and so are those before it. Put back a "
            "copy of one, or pass another --model_dir to start a new run."
        )


def step_of(prefix: str) -> int:
    """The number of steps after which a checkpoint was written; 0 where it does not say."""
    reader = tf.train.load_checkpoint(prefix)
    return int(reader.get_tensor(STEP_KEY)) if reader.has_tensor(STEP_KEY) else 0


def damage(prefix: str) -> str | None:
    """What is wrong with a checkpoint's files, or None; reads every value, with its checksum."""
    try:
        reader = tf.train.load_checkpoint(prefix)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except READ_ERRORS as error:
        return str(error).splitlines()[0]
    return None


def remove_partial(folder: str | os.PathLike) -> None:
    """Deletes what unfinished checkpoints left behind: files that the folder does not list.

    They are of no use, and each may take as much space as a whole checkpoint.
    """
    state = tf.train.get_checkpoint_state(os.fspath(folder))
    listed = {os.path.basename(p) for p in state.all_model_checkpoint_paths} if state else set()
    for path in pathlib.Path(folder).glob("ckpt-*"):
        if path.name.split(".")[0].removesuffix("_temp") not in listed:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def checkpoint_prefix(path: str | os.PathLike) -> str:
    """The checkpoint that `--load_path` names by a run's folder, a prefix, or an `.index` file.

    Raises:
        FileNotFoundError: there is no such checkpoint.
    """
    if os.path.isdir(path):
        prefix = latest_checkpoint(path)
        if prefix is None:
            raise FileNotFoundError(
                f"{path} holds no checkpoint of a training run. Pass the folder of a run that has "
                "saved one, or the prefix of a TF 1 checkpoint."
            )
        return prefix
    prefix = os.fspath(path).removesuffix(".index")
    tf1.open_checkpoint(prefix)
    return prefix


def flags_file(path: str | os.PathLike) -> pathlib.Path | None:
    """The flagfile of the run that `path` (a folder or a checkpoint in it) belongs to."""
    path = pathlib.Path(path)
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
        raise ValueError(
            f"{prefix} does not fit the model or is damaged: {str(error).splitlines()[0]}\n"
            "Was it trained with other settings (num_stage, encoder_only)? "
            f"{FLAGS_FILE} beside it lists them."
        ) from error
    return prefix

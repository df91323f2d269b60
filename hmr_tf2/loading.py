"""Loads a model, or a predictor, from whatever `--load_path` names."""

import dataclasses
import glob
import os
import pathlib
from typing import Any

import tensorflow as tf
from absl import logging

from hmr_tf2 import flagfiles
from hmr_tf2.checkpoints import run_folder, tf1
from hmr_tf2.hmr import HMR
from hmr_tf2.hmr.config import HMRConfig
from hmr_tf2.predictor import BATCH_SIZE, Predictor
from hmr_tf2.smpl.body_model import NUM_KEYPOINTS, SMPL
from hmr_tf2.smpl.rig import Rig, load_rig
from hmr_tf2.theta import theta_decoder
from tfrecords_tools.paths import path_of

SIGNATURE = "predict_crops"
SMPL_FILE = "neutral_smpl_with_cocoplus_reg.pkl"


def load_predictor(
    load_path: str | os.PathLike,
    smpl_model_path: str | None = None,
    batch_size: int = BATCH_SIZE,
    keypoint_regressor: str | None = None,
) -> Predictor:
    """Loads a predictor from one of our runs, a TF 1 checkpoint, or a SavedModel.

    Args:
        load_path: a run's folder, a checkpoint's prefix or its `.index` file, or the folder of a
            SavedModel (a version, or the folder of versions, of which the newest is taken).
        smpl_model_path: the SMPL file; None means the run's own, the one beside a TF 1
            checkpoint, or what the SavedModel brings with it.
        batch_size: number of crops predicted at once.
        keypoint_regressor: the file of the SMPL file's keypoints; None means the run's own, or
            those in the SMPL file.

    Raises:
        ValueError, OSError: nothing usable is there; the message says what to do.
    """
    folder = export_folder(load_path)
    if folder is not None:
        return _predictor_of_export(folder, smpl_model_path, keypoint_regressor, batch_size)
    model = load_model(os.fspath(load_path), smpl_model_path, keypoint_regressor)
    return predictor_of(model, batch_size)


def export_folder(path: str | os.PathLike) -> pathlib.Path | None:
    """The version folder of the SavedModel that `path` names; None if it does not name one.

    Args:
        path: a version folder, or the folder of versions, of which the newest is taken.
    """
    path = path_of(path)
    if (path / "saved_model.pb").is_file():
        return path
    versions = [
        version
        for version in path.glob("[0-9]*")
        if version.name.isdigit() and (version / "saved_model.pb").is_file()
    ]
    return max(versions, key=lambda version: int(version.name), default=None)


def predictor_of(model: HMR, batch_size: int = BATCH_SIZE) -> Predictor:
    """Makes a predictor from a model. It shares the weights, so the model may go on training."""
    size = model.config.img_size
    network = tf.function(
        model.call,
        input_signature=[tf.TensorSpec([None, size, size, 3], tf.float32, "images")],
        autograph=False,
    )
    rig = load_rig(model.config.smpl_model_path)
    return Predictor(network, theta_decoder(model.smpl, size), rig, size, batch_size)


def load_model(
    load_path: str, smpl_model_path: str | None = None, keypoint_regressor: str | None = None
) -> HMR:
    """Loads one of our runs or checkpoints, or a TF 1 HMR checkpoint.

    Args:
        load_path: a run's folder, a checkpoint's prefix or its `.index` file.
        smpl_model_path: the SMPL file; None means the run's own, or the one beside a TF 1
            checkpoint.
        keypoint_regressor: the file of its keypoints; None means the run's own, or those in the
            SMPL file.

    Raises:
        ValueError, OSError: nothing usable is there; the message says what to do.
    """
    prefix = run_folder.checkpoint_prefix(load_path)
    settings = model_settings(prefix, smpl_model_path, keypoint_regressor)
    model = HMR(dataclasses.replace(HMRConfig(), **settings))
    model.compile()
    run_folder.restore(model, prefix)
    logging.info("Loaded %s", prefix)
    return model


def model_settings(
    prefix: str, smpl_model_path: str | None = None, keypoint_regressor: str | None = None
) -> dict[str, Any]:
    """The settings of the model in a checkpoint: those of its run, and the files of its body.

    The model computes in float32, as its weights are, whatever precision it was trained in.
    """
    flags_file = run_folder.flags_file(prefix)
    settings = flagfiles.read_flagfile(flags_file, HMRConfig) if flags_file else {}
    settings.pop("mixed_precision", None)
    if smpl_model_path:
        settings["smpl_model_path"] = smpl_model_path
    if keypoint_regressor:
        settings["keypoint_regressor"] = keypoint_regressor
    beside = path_of(prefix).with_name(SMPL_FILE)
    if not settings.get("smpl_model_path") and beside.is_file():
        settings["smpl_model_path"] = str(beside)
    return settings


def model_files(
    load_path: str | os.PathLike,
    smpl_model_path: str | None = None,
    keypoint_regressor: str | None = None,
) -> tuple[str, list[pathlib.Path]]:
    """What `load_predictor` would read now.

    Returns:
        The checkpoint's prefix or the SavedModel's version folder, which as `load_path` keeps
        naming the same model when newer ones appear; and the files that determine what the model
        predicts.

    Raises:
        ValueError, OSError: nothing usable is there.
    """
    folder = export_folder(load_path)
    if folder is not None:
        files = [folder / "saved_model.pb", *folder.glob("variables/*")]
        given = (smpl_model_path, keypoint_regressor if smpl_model_path else None)
        return str(folder), files + [path_of(path) for path in given if path]
    prefix = run_folder.checkpoint_prefix(load_path)
    settings = model_settings(prefix, smpl_model_path, keypoint_regressor)
    of_body = (settings.get(name) for name in ("smpl_model_path", "keypoint_regressor"))
    files = [
        *path_of(prefix).parent.glob(f"{glob.escape(path_of(prefix).name)}.*"),
        run_folder.flags_file(prefix),
        *(path_of(path) for path in of_body if path),
    ]
    return prefix, [path for path in files if path is not None]


def _predictor_of_export(folder, smpl_model_path, keypoint_regressor, batch_size):
    tf1.check_name(folder)
    try:
        loaded = tf.saved_model.load(str(folder))
        function = loaded.signatures[SIGNATURE]
        (spec,) = function.structured_input_signature[1].values()
        num_keypoints = function.structured_outputs["joints3d"].shape[1]
    except (OSError, ValueError, KeyError, IndexError, tf.errors.OpError) as error:
        raise ValueError(
            f"{folder} is not a SavedModel that `hmr_tf2.export` wrote, or it is damaged: "
            f"{str(error).splitlines()[0]}"
        ) from error
    size = spec.shape[1]
    if smpl_model_path:
        joint_type = next(t for t, number in NUM_KEYPOINTS.items() if number == num_keypoints)
        decode = theta_decoder(SMPL(smpl_model_path, joint_type, keypoint_regressor), size)
        rig = load_rig(smpl_model_path)
    elif hasattr(loaded, "rig"):
        decode = loaded.decode_theta
        rig = Rig(**{name: loaded.rig[name].numpy() for name in Rig._fields})
    else:
        raise ValueError(
            f"{folder} was exported without its mesh: export it again, or give the SMPL file that "
            "it was trained with as --smpl_model_path."
        )
    logging.info("Loaded %s", folder)

    def network(images):
        # Naming `loaded` here keeps it alive: its variables live only as long as it does.
        outputs = dict(function(images)) if loaded is not None else {}
        outputs.pop("valid", None)
        if "verts" not in outputs:  # exported with --no_vertices
            outputs["verts"] = decode(outputs["theta"])["verts"]
        return outputs

    return Predictor(network, decode, rig, size, batch_size)

"""A model for prediction from whatever `--load_path` names."""

import dataclasses
import pathlib

from absl import logging

from hmr_tf2 import flagfiles
from hmr_tf2.checkpoints import run_folder
from hmr_tf2.config import HMRConfig
from hmr_tf2.hmr import HMR

SMPL_FILE = "neutral_smpl_with_cocoplus_reg.pkl"


def load_model(load_path: str, smpl_model_path: str | None = None) -> HMR:
    """Loads one of our runs or checkpoints, or a TF 1 HMR checkpoint.

    Args:
        load_path: a run's folder, a checkpoint's prefix or its `.index` file.
        smpl_model_path: the body; none means the one of the run, or the file beside a TF 1
            checkpoint.

    Raises:
        ValueError, OSError: nothing usable is there; the message says what to do.
    """
    prefix = run_folder.checkpoint_prefix(load_path)
    flags_file = run_folder.flags_file(load_path)
    settings = flagfiles.read_flagfile(flags_file, HMRConfig) if flags_file else {}
    if smpl_model_path:
        settings["smpl_model_path"] = smpl_model_path
    beside = pathlib.Path(prefix).with_name(SMPL_FILE)
    if not settings.get("smpl_model_path") and beside.is_file():
        settings["smpl_model_path"] = str(beside)
    model = HMR(dataclasses.replace(HMRConfig(), **settings))
    model.compile()
    run_folder.restore(model, prefix)
    logging.info("Loaded %s", prefix)
    return model

"""HMR as a training run sees it."""

import pathlib

from hmr_tf2.evaluation.validation import Validation
from hmr_tf2.hmr import tensorboard
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.data import TrainingData
from hmr_tf2.hmr.model import HMR
from hmr_tf2.smpl.model_file import MEAN_PARAMS_FILE
from hmr_tf2.training.system import System
from tfrecords_tools.paths import path_of


def validation_of(config: TrainConfig) -> Validation | None:
    """The validation on the test people of `val_datasets`; None if none are named."""
    if not config.val_datasets:
        return None
    return Validation(config.data_dir, config.val_datasets, config.val_people)


def input_files(config: TrainConfig) -> list[pathlib.Path]:
    """The SMPL file, the file of its mean parameters, and that of its keypoints if it is one."""
    body = path_of(config.smpl_model_path)
    keypoints = [path_of(config.keypoint_regressor)] if config.keypoint_regressor else []
    return [body, body.with_name(MEAN_PARAMS_FILE), *keypoints]


HMR_SYSTEM = System(
    name="HMR",
    config_class=TrainConfig,
    make_model=HMR,
    make_data=TrainingData,
    make_validation=validation_of,
    draw=tensorboard.draw,
    tags=tensorboard.original_scalars,
    shown=("e_loss", "e_loss_kp", "d_loss"),
    best_by=("val_mpjpe_mm", "val_keypoint_px"),
    input_files=input_files,
)

"""Settings of HMR and of its training, with the names and defaults of the original's config.py."""

import dataclasses
from typing import ClassVar

from hmr_tf2.config import ModelConfig, RunConfig
from hmr_tf2.networks.encoders import ENCODERS
from tfrecords_tools.datasets import DATASETS, MOCAP_DATASETS, MOSH_DATASETS
from tfrecords_tools.settings import setting

JOINT_TYPES = ("cocoplus", "lsp")


@dataclasses.dataclass(frozen=True)
class HMRConfig(ModelConfig):
    """The network, its losses and its optimisers.

    Raises:
        ValueError: a value is outside its limits; the message names the flag and what it accepts.
    """

    smpl_model_path: str | None = setting(
        None,
        "SMPL file (neutral_smpl_with_cocoplus_reg.pkl). neutral_smpl_mean_params.h5 is read from "
        "the same folder.",
        "model",
        free=True,
        path=True,
    )
    keypoint_regressor: str | None = setting(
        None,
        "File of the keypoints, for an SMPL file that has none: J_regressor_extra.npy or "
        "J_regressor_h36m.npy as SPIN ships them, or one of all keypoints (npy, npz or pkl).",
        "model",
        free=True,
        path=True,
    )
    model_type: str = setting(
        "resnet_fc3_dropout",
        "Networks: resnet_fc3_dropout are the original's, small_resnet_fc3_dropout has a small "
        "encoder that can be trained on a CPU.",
        "model",
        choices=ENCODERS,
    )
    joint_type: str = setting(
        "cocoplus",
        "Keypoints to predict: the 19 of COCO+ (cocoplus) or the 14 of LSP (lsp).",
        "model",
        choices=JOINT_TYPES,
    )
    img_size: int = setting(224, "Side of the square crop in pixels.", "model", choices=(224,))
    num_stage: int = setting(3, "Number of iterations of the regressor.", "model", minimum=1)
    dropout_rate: float = setting(
        0.5,
        "Fraction of the regressor's hidden units that is dropped in training.",
        "model",
        minimum=0,
        below=1,
    )
    bn_momentum: float = setting(
        0.997,
        "Momentum of the batch norms' moving averages. Runs of only a few hundred steps need a "
        "smaller one.",
        "model",
        minimum=0,
        below=1,
    )

    encoder_only: bool = setting(
        False, "Train without the discriminator, and read no mocap.", "losses"
    )
    use_3d_label: bool = setting(
        True, "Use the 3-D labels of the records that have them.", "losses"
    )
    e_loss_weight: float = setting(60.0, "Weight of the 2-D keypoint loss.", "losses", minimum=0)
    d_loss_weight: float = setting(1.0, "Weight of the adversarial losses.", "losses", minimum=0)
    e_3d_weight: float = setting(1.0, "Weight of the 3-D losses.", "losses", minimum=0)

    e_lr: float = setting(
        1e-3, "Adam learning rate of the encoder and the regressor.", "optimiser", above=0
    )
    d_lr: float = setting(1e-3, "Adam learning rate of the discriminator.", "optimiser", above=0)
    e_wd: float = setting(
        1e-4,
        "Weight decay of the encoder and the regressor. It has no effect without "
        "--apply_weight_decay.",
        "optimiser",
        minimum=0,
    )
    d_wd: float = setting(
        1e-4,
        "Weight decay of the discriminator. It has no effect without --apply_weight_decay.",
        "optimiser",
        minimum=0,
    )
    apply_weight_decay: bool = setting(
        False,
        "Add half the squared weights, times e_wd or d_wd, to the losses. The original means to, "
        "but its code does not.",
        "optimiser",
    )
    freeze_bn: bool = setting(
        False,
        "Normalise with the averages that the batch norms were loaded with, and do not change "
        "these averages.",
        "optimiser",
    )


@dataclasses.dataclass(frozen=True)
class TrainConfig(RunConfig, HMRConfig):
    """Settings of a training run of HMR: the model's, the run's, and the data it trains on."""

    # In the order in which `--help` shows them.
    groups: ClassVar[tuple[str, ...]] = ("model", "losses", "optimiser", "data", "run", "hardware")

    datasets: tuple[str, ...] = setting(
        ("lsp", "lsp_ext", "mpii", "coco"),
        "Image data sets to train on.",
        "data",
        choices=DATASETS,
    )
    mocap_datasets: tuple[str, ...] = setting(
        MOSH_DATASETS,
        "Mocap data sets that the discriminator learns human bodies from.",
        "data",
        choices=MOCAP_DATASETS,
    )
    dataset_weights: tuple[str, ...] = setting(
        (),
        "Relative shares of the examples, such as lsp:2,coco:1; each of --datasets needs one. "
        "Without this flag, sets with and without 3-D labels take turns, and within each kind a "
        "set's share is that of its size.",
        "data",
    )
    val_datasets: tuple[str, ...] = setting(
        (),
        "Data sets whose test records are evaluated after each epoch. The checkpoint with the "
        "lowest error is kept in model_dir/best.",
        "data",
        choices=DATASETS,
        free=True,
    )
    val_people: int = setting(
        512,
        "Number of people to evaluate of each of --val_datasets, evenly spaced; 0 means all.",
        "data",
        minimum=0,
        free=True,
    )
    trans_max: int = setting(
        20,
        "Largest random shift t of the crop's centre in pixels, drawn from [-t, t).",
        "data",
        minimum=0,
    )
    scale_max: float = setting(1.23, "Largest random scale of an image.", "data", above=0)
    scale_min: float = setting(0.8, "Smallest random scale of an image.", "data", above=0)

    def __post_init__(self):
        super().__post_init__()
        if self.scale_min > self.scale_max:
            raise ValueError(
                f"--scale_min ({self.scale_min}) must not exceed --scale_max ({self.scale_max})."
            )

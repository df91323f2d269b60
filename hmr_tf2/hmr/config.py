"""Settings of HMR and of its training; names and defaults of the original's config.py."""

import dataclasses
from typing import ClassVar

from hmr_tf2.config import ModelConfig, RunConfig
from hmr_tf2.networks.encoders import ENCODERS
from tfrecords_tools.datasets import DATASETS, MOCAP_DATASETS
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
        "SMPL file (neutral_smpl_with_cocoplus_reg.pkl); neutral_smpl_mean_params.h5 beside it.",
        "model",
        free=True,
    )
    model_type: str = setting(
        "resnet_fc3_dropout",
        "The original's networks, or those with a small encoder for a CPU.",
        "model",
        choices=ENCODERS,
    )
    joint_type: str = setting(
        "cocoplus", "Keypoints: 19 of COCO+ or the 14 of LSP.", "model", choices=JOINT_TYPES
    )
    img_size: int = setting(224, "Side of the square crop, pixels.", "model", choices=(224,))
    num_stage: int = setting(3, "Iterations T of the regressor.", "model", minimum=1)
    dropout_rate: float = setting(
        0.5, "Share of the regressor's units dropped in training.", "model", minimum=0, below=1
    )
    bn_momentum: float = setting(
        0.997,
        "Momentum of the batch norms' averages; less for runs of a few hundred steps.",
        "model",
        minimum=0,
        below=1,
    )

    encoder_only: bool = setting(False, "Train without the discriminator.", "losses")
    use_3d_label: bool = setting(True, "Use 3-D labels where records have them.", "losses")
    e_loss_weight: float = setting(60.0, "Weight of the 2-D keypoint loss.", "losses", minimum=0)
    d_loss_weight: float = setting(1.0, "Weight of the adversarial losses.", "losses", minimum=0)
    e_3d_weight: float = setting(1.0, "Weight of the 3-D losses.", "losses", minimum=0)

    e_lr: float = setting(
        1e-3, "Adam learning rate of encoder and regressor.", "optimiser", above=0
    )
    d_lr: float = setting(1e-3, "Adam learning rate of the discriminator.", "optimiser", above=0)
    e_wd: float = setting(
        1e-4,
        "Encoder weight decay; enters no loss without --apply_weight_decay.",
        "optimiser",
        minimum=0,
    )
    d_wd: float = setting(
        1e-4,
        "Discriminator weight decay; enters no loss without --apply_weight_decay.",
        "optimiser",
        minimum=0,
    )
    apply_weight_decay: bool = setting(
        False,
        "Add e_wd and d_wd times half the squared weights to the losses; the original "
        "means to but does not.",
        "optimiser",
    )
    freeze_bn: bool = setting(
        False,
        "Normalise by the averages the batch norms came with, and leave these alone.",
        "optimiser",
    )


@dataclasses.dataclass(frozen=True)
class TrainConfig(RunConfig, HMRConfig):
    """A training run of HMR: the model's settings, the run's, and the data it trains on."""

    # In the order in which `--help` shows them.
    groups: ClassVar[tuple[str, ...]] = ("model", "losses", "optimiser", "data", "run", "hardware")

    datasets: tuple[str, ...] = setting(
        ("lsp", "lsp_ext", "mpii", "coco"),
        "Image data sets to train on.",
        "data",
        choices=DATASETS,
    )
    mocap_datasets: tuple[str, ...] = setting(
        MOCAP_DATASETS,
        "Motion capture sets for the adversarial prior.",
        "data",
        choices=MOCAP_DATASETS,
    )
    dataset_weights: tuple[str, ...] = setting(
        (),
        "Shares of the examples, such as lsp:2,coco:1; every set of --datasets needs one. "
        "Without: sets with and without 3-D labels in turn, inside each kind by size.",
        "data",
    )
    val_datasets: tuple[str, ...] = setting(
        (),
        "Data sets whose test records are predicted after each epoch; the run with the least "
        "error is kept in model_dir/best.",
        "data",
        choices=DATASETS,
        free=True,
    )
    val_people: int = setting(
        512,
        "People of each of --val_datasets, at equal distances; 0: all.",
        "data",
        minimum=0,
        free=True,
    )
    trans_max: int = setting(
        20, "Jitter of the crop's centre, pixels, [-t, t).", "data", minimum=0
    )
    scale_max: float = setting(1.23, "Largest random scale.", "data", above=0)
    scale_min: float = setting(0.8, "Smallest random scale.", "data", above=0)

    def __post_init__(self):
        super().__post_init__()
        if self.scale_min > self.scale_max:
            raise ValueError(
                f"--scale_min ({self.scale_min}) must not exceed --scale_max ({self.scale_max})."
            )

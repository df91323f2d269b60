"""Settings that all models and all training runs share; each field is also a flag.

Settings of one model alone are in that model's own `config.py`.
"""

import dataclasses

from tfrecords_tools.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The settings that `TrainedModel` reads: how any model is trained.

    Raises:
        ValueError: a value is outside its limits; the message names the flag and what it accepts.
    """

    batch_size: int = setting(
        8,
        "Number of images in a training step. The discriminator sees num_stage times as many "
        "mocap poses.",
        "optimiser",
        minimum=1,
    )
    clip_norm: float = setting(
        0.0,
        "Clip the gradients of the encoder and of the discriminator, each as a whole, to this "
        "norm; 0 means no clipping.",
        "optimiser",
        minimum=0,
    )
    seed: int = setting(
        1,
        "Seed of the initial weights, the data order, augmentation and dropout.",
        "optimiser",
        minimum=0,
    )
    mixed_precision: str = setting(
        "off",
        "Precision in which the encoder and the regressor compute. Weights, body and losses stay "
        "float32.",
        "hardware",
        choices=("off", "bfloat16", "float16"),
    )
    sync_batch_norm: bool = setting(
        True,
        "On several devices, batch norms use the statistics of the whole batch rather than those "
        "of each device's share.",
        "hardware",
    )
    deterministic: bool = setting(
        False,
        "Sum in a fixed order, so that equal runs on a CPU give bit-identical results. Slower.",
        "hardware",
    )

    def __post_init__(self):
        check_settings(self)


@dataclasses.dataclass(frozen=True)
class RunConfig(ModelConfig):
    """Settings of a training run: its data, its length, its output and its devices."""

    data_dir: str | None = setting(
        None,
        "Folder of the records that convert_datasets wrote; an address such as "
        "gs://bucket/records will do.",
        "data",
        free=True,
        path=True,
    )
    skip_corrupt: bool = setting(
        False,
        "Log and count corrupt records and use the next whole one instead. Without this flag, a "
        "corrupt record stops the run.",
        "data",
    )
    lr_schedule: str = setting(
        "constant",
        "How the learning rates change over the run: constant keeps them, cosine lowers them to 0 "
        "along a cosine, steps divides them by 10 at each of --lr_steps.",
        "optimiser",
        choices=("constant", "cosine", "steps"),
    )
    lr_steps: tuple[str, ...] = setting(
        (),
        "Epochs at which --lr_schedule=steps divides the learning rates by 10, such as 40,60.",
        "optimiser",
    )
    lr_warmup_steps: int = setting(
        0,
        "Number of steps over which the learning rates rise linearly to their values; 0 means no "
        "warm-up.",
        "optimiser",
        minimum=0,
    )
    epoch: int = setting(100, "Number of epochs to train.", "run", minimum=1, free=True)
    steps_per_epoch: int = setting(
        0,
        "Number of steps in an epoch; 0 means the number of training images divided by "
        "batch_size.",
        "run",
        minimum=0,
    )
    model_dir: str | None = setting(
        None,
        "Folder of this run: checkpoints, flags and logs; an address such as gs://bucket/run will "
        "do. If it already holds a checkpoint, the run continues from there.",
        "run",
        free=True,
        path=True,
    )
    log_dir: str = setting(
        "logs",
        "Folder in which a run without --model_dir makes a folder of its own.",
        "run",
        free=True,
    )
    load_path: str | None = setting(
        None,
        "Checkpoint to continue from: a run's folder, a checkpoint in it, or a TF 1 HMR "
        "checkpoint.",
        "run",
        free=True,
        path=True,
    )
    pretrained_model_path: str | None = setting(
        None,
        "TF 1 checkpoint whose weights a new run starts from: Slim's resnet_v2_50.ckpt or the "
        "authors' model.ckpt-667589.",
        "run",
        free=True,
        path=True,
    )
    accept_changes: bool = setting(
        False,
        "Continue even though settings differ from those that the checkpoint was made with.",
        "run",
        free=True,
    )
    checkpoint_minutes: float = setting(
        30.0,
        "Minutes between checkpoints within an epoch. One more is written at the end of each "
        "epoch.",
        "run",
        above=0,
        free=True,
    )
    checkpoint_steps: int = setting(
        0,
        "Steps between checkpoints within an epoch; 0 leaves it to --checkpoint_minutes.",
        "run",
        minimum=0,
        free=True,
    )
    keep_checkpoints: int = setting(
        3,
        "Number of the newest checkpoints to keep, besides the best one.",
        "run",
        minimum=1,
        free=True,
    )
    log_img_step: int = setting(
        100,
        "Steps between pictures and histograms for TensorBoard; 0 turns them off.",
        "run",
        minimum=0,
        free=True,
    )
    explosion_factor: float = setting(
        100.0,
        "Stop the run if e_loss stays above its median times this factor; 0 stops it only for a "
        "loss that is not finite.",
        "run",
        minimum=0,
        free=True,
    )
    strategy: str = setting(
        "single",
        "Devices to train on: single is one, mirrored all GPUs of this machine, multiworker "
        "several machines, which TF_CONFIG names. --batch_size is that of all devices together.",
        "hardware",
        choices=("single", "mirrored", "multiworker"),
    )
    xla: bool = setting(
        False,
        "Compile the training step with XLA. It then draws other dropout masks.",
        "hardware",
    )
    steps_per_execution: int = setting(
        1,
        "Number of training steps between returns to Python. Losses are then reported for the "
        "last of them only.",
        "hardware",
        minimum=1,
        free=True,
    )

    def __post_init__(self):
        super().__post_init__()
        self._check_schedule()
        if self.deterministic and self.strategy != "single":
            raise ValueError(
                "--deterministic works on one device only, with --strategy=single; got "
                f"--strategy={self.strategy}."
            )
        if self.load_path and self.pretrained_model_path:
            raise ValueError(
                "--load_path and --pretrained_model_path cannot be combined: the first continues "
                "a run, the second starts a new one from given weights. Pass one of them."
            )

    def _check_schedule(self):
        if (self.lr_schedule == "steps") != bool(self.lr_steps):
            raise ValueError(
                "--lr_schedule=steps and --lr_steps=EPOCH,... must be given together; got "
                f"--lr_schedule={self.lr_schedule} --lr_steps={','.join(self.lr_steps)}."
            )
        try:
            epochs = [float(epoch) for epoch in self.lr_steps]
        except ValueError:
            epochs = [-1.0]
        if any(after <= before for before, after in zip([0.0, *epochs], epochs, strict=False)):
            raise ValueError(
                f"--lr_steps must be increasing numbers above 0; got {','.join(self.lr_steps)}."
            )

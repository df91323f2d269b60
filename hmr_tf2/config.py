"""Settings that every model and every training run has: a field is a flag.

What one model alone has stands in its own `config.py`.
"""

import dataclasses

from tfrecords_tools.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What `TrainedModel` reads: how a model is trained, whatever it is.

    Raises:
        ValueError: a value is outside its limits; the message names the flag and what it accepts.
    """

    batch_size: int = setting(
        8, "Pictures in a step (mocap rows: times num_stage).", "optimiser", minimum=1
    )
    clip_norm: float = setting(
        0.0,
        "Largest norm of the encoder's and of the discriminator's gradient; 0: any.",
        "optimiser",
        minimum=0,
    )
    seed: int = setting(
        1, "Seed of initial weights, data order, augmentation, dropout.", "optimiser", minimum=0
    )
    mixed_precision: str = setting(
        "off",
        "Arithmetic of encoder and regressor; weights, body and losses stay float32.",
        "hardware",
        choices=("off", "bfloat16", "float16"),
    )
    sync_batch_norm: bool = setting(
        True,
        "Batch norms use the statistics of the whole batch where it is on several devices.",
        "hardware",
    )
    deterministic: bool = setting(
        False, "Sum in a fixed order: on a CPU, equal runs give equal bits. Slower.", "hardware"
    )

    def __post_init__(self):
        check_settings(self)


@dataclasses.dataclass(frozen=True)
class RunConfig(ModelConfig):
    """A training run: where its data is, how long it trains, where it writes, on which devices."""

    data_dir: str | None = setting(None, "Folder that convert_datasets wrote.", "data", free=True)
    skip_corrupt: bool = setting(
        False, "Log and count corrupt records and use the next whole one instead.", "data"
    )
    lr_schedule: str = setting(
        "constant",
        "Learning rates over the run: constant; down to 0 along a cosine; divided by "
        "10 at each of --lr_steps.",
        "optimiser",
        choices=("constant", "cosine", "steps"),
    )
    lr_steps: tuple[str, ...] = setting(
        (), "Epochs at which --lr_schedule=steps divides the rates, such as 40,60.", "optimiser"
    )
    lr_warmup_steps: int = setting(
        0,
        "Steps over which the learning rates rise from 0 to their values.",
        "optimiser",
        minimum=0,
    )
    epoch: int = setting(100, "Epochs to train.", "run", minimum=1, free=True)
    steps_per_epoch: int = setting(
        0, "Steps of an epoch; 0: examples of the data sets / batch_size.", "run", minimum=0
    )
    model_dir: str | None = setting(
        None,
        "Folder of this run: checkpoints, flags, logs. Continued if it has a checkpoint.",
        "run",
        free=True,
    )
    log_dir: str = setting(
        "logs", "Parent of the run's folder where model_dir is not given.", "run", free=True
    )
    load_path: str | None = setting(
        None,
        "Start from this checkpoint: a run's folder or file, or a TF 1 HMR checkpoint.",
        "run",
        free=True,
    )
    pretrained_model_path: str | None = setting(
        None,
        "Fine-tune from Slim's resnet_v2_50.ckpt or the authors' model.ckpt-667589.",
        "run",
        free=True,
    )
    accept_changes: bool = setting(
        False,
        "Go on although settings differ from those the checkpoint was made with.",
        "run",
        free=True,
    )
    checkpoint_minutes: float = setting(
        30.0,
        "Minutes between checkpoints inside an epoch (one more at each epoch's end).",
        "run",
        above=0,
        free=True,
    )
    checkpoint_steps: int = setting(
        0,
        "Steps between checkpoints inside an epoch; 0: by --checkpoint_minutes alone.",
        "run",
        minimum=0,
        free=True,
    )
    keep_checkpoints: int = setting(
        3, "Newest checkpoints to keep, besides the best one.", "run", minimum=1, free=True
    )
    log_img_step: int = setting(
        100,
        "Steps between pictures and histograms for TensorBoard; 0: none.",
        "run",
        minimum=0,
        free=True,
    )
    explosion_factor: float = setting(
        100.0,
        "Stop where e_loss stays this many times above its median; 0: on NaN alone.",
        "run",
        minimum=0,
        free=True,
    )
    strategy: str = setting(
        "single",
        "One device; all GPUs of this machine; or several machines, named in TF_CONFIG. "
        "--batch_size is that of all devices together.",
        "hardware",
        choices=("single", "mirrored", "multiworker"),
    )
    xla: bool = setting(
        False, "Compile the training step by XLA; it draws other dropout masks.", "hardware"
    )
    steps_per_execution: int = setting(
        1,
        "Steps between two returns to Python; losses are seen of the last one only.",
        "hardware",
        minimum=1,
        free=True,
    )

    def __post_init__(self):
        super().__post_init__()
        self._check_schedule()
        if self.deterministic and self.strategy != "single":
            raise ValueError(f"--deterministic is for one device; got --strategy={self.strategy}.")
        if self.load_path and self.pretrained_model_path:
            raise ValueError(
                "--load_path and --pretrained_model_path exclude each other: the first continues "
                "training, the second starts a new one from given weights."
            )

    def _check_schedule(self):
        if (self.lr_schedule == "steps") != bool(self.lr_steps):
            raise ValueError(
                "--lr_schedule=steps and --lr_steps=EPOCH,... belong together; got "
                f"--lr_schedule={self.lr_schedule} --lr_steps={','.join(self.lr_steps)}."
            )
        try:
            epochs = [float(epoch) for epoch in self.lr_steps]
        except ValueError:
            epochs = [-1.0]
        if any(after <= before for before, after in zip([0.0, *epochs], epochs, strict=False)):
            raise ValueError(
                f"--lr_steps must be rising numbers above 0; got {','.join(self.lr_steps)}."
            )

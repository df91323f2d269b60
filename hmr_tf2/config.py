"""Settings of the model and of a training run: one field a flag, checked where they are made."""

import dataclasses

from tfrecords_tools.settings import check_settings, setting

MODEL_TYPES = ("resnet_fc3_dropout", "small_resnet_fc3_dropout")
JOINT_TYPES = ("cocoplus", "lsp")
DATASETS = ("lsp", "lsp_ext", "mpii", "coco", "h36m", "mpi_inf_3dhp")
MOCAP_DATASETS = ("CMU", "H3.6", "jointLim")


@dataclasses.dataclass(frozen=True)
class HMRConfig:
    """The network, its losses and its optimisers; names and defaults of the original's config.py.

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
        choices=MODEL_TYPES,
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

    batch_size: int = setting(
        8, "Pictures in a step (mocap rows: times num_stage).", "optimiser", minimum=1
    )
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
    clip_norm: float = setting(
        0.0,
        "Largest norm of the encoder's and of the discriminator's gradient; 0: any.",
        "optimiser",
        minimum=0,
    )
    freeze_bn: bool = setting(
        False,
        "Normalise by the averages the batch norms came with, and leave these alone.",
        "optimiser",
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
class TrainConfig(HMRConfig):
    """A training run: the model's settings, its data, and where it writes."""

    data_dir: str | None = setting(None, "Folder that convert_datasets wrote.", "data", free=True)
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
    skip_corrupt: bool = setting(
        False, "Log and count corrupt records and use the next whole one instead.", "data"
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
        if self.scale_min > self.scale_max:
            raise ValueError(
                f"--scale_min ({self.scale_min}) must not exceed --scale_max ({self.scale_max})."
            )
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

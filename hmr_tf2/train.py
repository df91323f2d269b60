"""Trains HMR and continues a run that was begun.

python -m hmr_tf2.train --flagfile=flags/hmr.cfg --data_dir=DATA --model_dir=RUN \\
    --smpl_model_path=models/neutral_smpl_with_cocoplus_reg.pkl
"""

from hmr_tf2 import commands
from hmr_tf2.config import TrainConfig


def main(config: TrainConfig) -> None:
    from hmr_tf2 import training  # TensorFlow takes seconds that --help should not

    summary = training.train(config)
    for name, value in summary.losses.items():
        print(f"{name:20} {value:10.4f}")
    print(f"Steps {summary.start_step} to {summary.end_step}; checkpoint {summary.checkpoint}")
    print(f"Watch it:  tensorboard --logdir={summary.model_dir}")
    print(f"Export it: python -m hmr_tf2.export --load_path={summary.model_dir} --export_dir=...")


if __name__ == "__main__":
    commands.run(main, TrainConfig, __doc__)

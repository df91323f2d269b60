"""Trains HMR, or continues a run that was stopped.

python -m hmr_tf2.train --flagfile=flags/hmr.cfg --data_dir=DATA --model_dir=RUN \\
    --smpl_model_path=models/neutral_smpl_with_cocoplus_reg.pkl
"""

from hmr_tf2 import commands
from hmr_tf2.hmr.config import TrainConfig


def main(config: TrainConfig) -> None:
    # TensorFlow takes seconds that --help should not.
    from hmr_tf2 import devices, training
    from hmr_tf2.hmr.system import HMR_SYSTEM

    devices.log_devices(every_gpu=config.strategy != "single")
    summary = training.train(config, HMR_SYSTEM)
    print(f"Steps {summary.start_step} to {summary.end_step}; checkpoint {summary.checkpoint}")
    if summary.stopped:
        print(
            f"Stopped by {summary.stopped}. The same command continues at step "
            f"{summary.end_step}; so does\n  python -m hmr_tf2.train "
            f"--flagfile={summary.model_dir}/flags.cfg"
        )
        if summary.stopped == "SIGINT":
            raise KeyboardInterrupt
        return
    width = max(map(len, summary.losses), default=0)
    for name, value in summary.losses.items():
        print(f"{name:{width}} {value:10.4f}")
    print(f"Watch it:  tensorboard --logdir={summary.model_dir}")
    print(f"Export it: python -m hmr_tf2.export --load_path={summary.model_dir} --export_dir=...")


def program() -> None:
    """The program `hmr-train`."""
    commands.run(main, TrainConfig, __doc__)


if __name__ == "__main__":
    program()

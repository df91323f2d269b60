"""What one stack writes and another reads: a run, an export, records.

python exchange.py write FOLDER SMPL_FILE       and leaves the numbers in FOLDER/written.npz
python exchange.py read FOLDER NUMBERS.npz
"""

import dataclasses
import pathlib
import shutil
import sys

import numpy as np
import quiet  # noqa: F401
import tensorflow as tf
from raw_samples import conversion

from hmr_tf2 import loading, serving
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.system import HMR_SYSTEM
from hmr_tf2.training.run import train
from tfrecords_tools import verification
from tfrecords_tools.convert import convert

STEPS = 2


def config_of(folder: pathlib.Path, smpl_path: str) -> TrainConfig:
    return TrainConfig(
        smpl_model_path=smpl_path,
        data_dir=str(folder / "records"),
        model_dir=str(folder / "run"),
        datasets=("lsp", "mpi_inf_3dhp"),
        model_type="small_resnet_fc3_dropout",
        batch_size=2,
        epoch=1,
        steps_per_epoch=STEPS,
        e_lr=1e-4,
        d_lr=1e-4,
        log_img_step=0,
        seed=3,
    )


def write(folder: pathlib.Path, smpl_path: str) -> None:
    convert(conversion(folder / "records"))
    config = config_of(folder, smpl_path)
    train(config, HMR_SYSTEM)
    serving.export(loading.load_model(config.model_dir), folder / "export")
    np.savez(folder / "written.npz", **numbers(folder))


def numbers(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """What the run and the export predict, and the losses of the run's next step."""
    assert verification.verify(folder / "records").faults == ()
    crops = np.random.default_rng(0).uniform(-1, 1, (3, 224, 224, 3)).astype(np.float32)
    found = {"tensorflow": np.array(tf.__version__)}
    for name in ("run", "export"):
        predicted = loading.load_predictor(folder / name).predict_crops(crops)
        found |= {f"{name}/{key}": value for key, value in predicted.items()}
    model = loading.load_model(str(folder / "run"))
    continued = shutil.copytree(folder / "run", folder / f"continued_{tf.__version__}")
    config = config_of(folder, model.config.smpl_model_path)
    config = dataclasses.replace(config, model_dir=str(continued), epoch=2)
    summary = train(config, HMR_SYSTEM)
    assert summary.start_step == STEPS
    found |= {f"continued/{name}": np.array(loss) for name, loss in summary.losses.items()}
    return found


if __name__ == "__main__":
    _, what, where, other = sys.argv
    if what == "write":
        write(pathlib.Path(where), other)
    else:
        np.savez(other, **numbers(pathlib.Path(where)))

"""Small runs that the tests of training share: records of the raw samples, a small network."""

import types

import pytest
import tf_keras as keras
from raw_samples import conversion

from hmr_tf2.hmr import HMR
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.data import TrainingData
from hmr_tf2.hmr.system import HMR_SYSTEM
from hmr_tf2.training import failures, input_clock, progress, snapshots, summaries, vitals
from tfrecords_tools.convert import convert


@pytest.fixture(scope="session")
def sample_records(tmp_path_factory):
    """LSP, MPI-INF-3DHP and MoSh records of the raw samples."""
    folder = tmp_path_factory.mktemp("records")
    convert(conversion(folder))
    return folder


@pytest.fixture(scope="session")
def small_config(sample_records, small_smpl_path):
    """Settings of a run with a small encoder, a body of 120 vertices and two pictures a step.

    It draws no snapshots, which take as long as the rest of so short a run.
    """
    return TrainConfig(
        smpl_model_path=str(small_smpl_path),
        data_dir=str(sample_records),
        datasets=("lsp", "mpi_inf_3dhp"),
        model_type="small_resnet_fc3_dropout",
        batch_size=2,
        d_loss_weight=2.0,
        e_3d_weight=60.0,
        e_lr=1e-5,
        d_lr=1e-4,
        log_img_step=0,
    )


class Seen(keras.callbacks.Callback):
    """Keeps the logs of each batch."""

    def __init__(self):
        super().__init__()
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append(dict(logs))


@pytest.fixture(scope="session")
def watched(small_config, tmp_path_factory):
    """A run of two epochs of two steps with all that watches it."""
    return fit(small_config, tmp_path_factory.mktemp("watched"))


@pytest.fixture(scope="session")
def run_small():
    """run_small(config, folder, ...): see `fit`."""
    return fit


def fit(config, folder, steps_per_execution=1, progress_of=progress.ProgressLines):
    """Trains for two epochs of two steps; snapshots every second step."""
    keras.utils.set_random_seed(config.seed)
    data, model = TrainingData(config), HMR(config)
    model.compile(steps_per_execution=steps_per_execution)
    read_batch = snapshots.batch_reader(data.batches)
    writer, clock, seen = summaries.EventFiles(folder), input_clock.InputClock(), Seen()
    model.fit(
        clock.watch(data.batches(0)),
        epochs=2,
        steps_per_epoch=2,
        verbose=0,
        callbacks=[
            failures.StopOnFailure(folder, read_batch, data.record_names),
            summaries.Scalars(writer, HMR_SYSTEM.tags),
            vitals.Vitals(writer, clock, seconds=0.0),
            snapshots.Snapshots(writer, read_batch, HMR_SYSTEM.draw, every=2),
            progress_of(4, HMR_SYSTEM.shown),
            seen,
        ],
    )
    return types.SimpleNamespace(
        folder=folder, model=model, data=data, read_batch=read_batch, logs=seen.logs
    )

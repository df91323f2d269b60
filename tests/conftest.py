"""Fixtures that several packages' tests share; the golden inputs and what is made from them."""

import json
import pathlib
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
import quiet  # noqa: F401
import tensorflow as tf

from hmr_tf2 import HMR, HMRConfig, flagfiles, loading
from hmr_tf2.checkpoints import run_folder
from hmr_tf2.smpl.model_file import MEAN_PARAMS_FILE

ROOT = pathlib.Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
sys.path[:0] = [str(GOLDEN), str(GOLDEN.parent)]

import memory  # noqa: E402
import reference_inputs  # noqa: E402

# Collecting garbage takes half a second, too long for every test.
MUCH_GIB = 0.2

TF1_VARIABLES = [tuple(entry) for entry in json.loads((GOLDEN / "tf1_variables.json").read_text())]


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["peak_gib"] = memory.peak_gib()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    memory.OF_WORKERS.append(getattr(node, "workeroutput", {}).get("peak_gib", 0.0))


def pytest_terminal_summary(terminalreporter):
    peaks = [*memory.OF_WORKERS, memory.peak_gib()]
    terminalreporter.write_line(f"The largest test process held {max(peaks):.1f} GiB.")


@pytest.fixture(autouse=True)
def memory_is_given_back():
    """What tests leave behind does not add up over all of them."""
    yield
    if memory.held_gib() > memory.kept_gib + MUCH_GIB:
        memory.give_back()


def pytest_collection_modifyitems(items):
    """Runs of whole networks come first, or one process would end long behind the other."""
    first = ("test_readme", "training")
    items.sort(key=lambda item: not any(name in str(item.path) for name in first))
    for item in items:
        if "golden" in item.fixturenames or "golden" in item.path.name:
            item.add_marker("golden")


@pytest.fixture(scope="session")
def distributions(tmp_path_factory):
    """The source distribution and, built from that, the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    command = ["build", "--no-isolation", f"--outdir={folder}", str(ROOT)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    (source,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return source, wheel


@pytest.fixture(scope="session")
def installed_wheel(distributions, tmp_path_factory):
    """A folder that holds the wheel as pip installs it, and its programs in `bin`."""
    folder = tmp_path_factory.mktemp("site")
    command = ["pip", "install", "--quiet", "--no-deps", f"--target={folder}"]
    subprocess.run([sys.executable, "-m", *command, str(distributions[1])], check=True)
    return folder


@pytest.fixture(scope="session")
def reference():
    """The program that makes the golden inputs from a seed."""
    return reference_inputs


@pytest.fixture(scope="session")
def golden():
    """golden(name) -> the file's arrays and its meta entry."""
    return lambda name: reference_inputs.load_golden(GOLDEN / name)


@pytest.fixture(scope="session")
def tf1_variables():
    """(name, shape) of the 346 variables of the original's training graph."""
    return TF1_VARIABLES


@pytest.fixture(scope="session")
def reference_files(tmp_path_factory, smpl_path):
    """reference_files(seed) -> folder with the SMPL file, the mean file and a TF 1 checkpoint."""
    folders = {}

    def files(seed=0):
        if seed not in folders:
            folder = smpl_path.parent if seed == 0 else tmp_path_factory.mktemp(f"reference{seed}")
            if seed != 0:
                reference_inputs.write_model_files(folder, seed)
            reference_inputs.write_tf1_checkpoint(
                str(folder / "model.ckpt-667589"), TF1_VARIABLES, seed
            )
            folders[seed] = folder
        return folders[seed]

    return files


@pytest.fixture(scope="session")
def smpl_path(tmp_path_factory):
    """An SMPL file of 6890 random vertices near the bones; means beside it."""
    folder = tmp_path_factory.mktemp("reference0")
    return pathlib.Path(reference_inputs.write_model_files(folder, 0))


@pytest.fixture(scope="session")
def small_smpl_path(tmp_path_factory):
    """An SMPL file of 120 vertices as Python 2 wrote it with chumpy and scipy; means beside it."""
    folder = tmp_path_factory.mktemp("small")
    with h5py.File(folder / MEAN_PARAMS_FILE, "w") as file:
        for key, value in reference_inputs.mean_params(0).items():
            file[key] = value
    return pathlib.Path(shutil.copy(GOLDEN / "py2_smpl_seed0_p2.pkl", folder))


@pytest.fixture(scope="session")
def untrained(request, smpl_path):
    """A compiled model with random weights, for tests that do not train it.

    Its encoder is small; a test that needs the original's asks for it by its name (`indirect`).
    """
    encoder = getattr(request, "param", "small_resnet_fc3_dropout")
    model = HMR(HMRConfig(smpl_model_path=str(smpl_path), model_type=encoder))
    # As drawn, poses turn by many circles, where a rounding of theta moves a hand.
    model.regressor.out.kernel.assign(0.01 * model.regressor.out.kernel)
    model.compile()
    return model


@pytest.fixture(scope="session")
def save_run():
    """save_run(model, folder) -> the folder, as a run of the compiled model leaves it."""

    def save(model, folder):
        folder.mkdir()
        (folder / run_folder.FLAGS_FILE).write_text(flagfiles.as_flagfile(model.config))
        tf.train.CheckpointManager(run_folder.training_state(model), str(folder), 1).save()
        return folder

    return save


@pytest.fixture(scope="session")
def load_export():
    """load_export(folder, signature) -> what a SavedModel offers, from rows to a dict of arrays.

    `folder` is a version's folder, or the folder of versions, of which the newest is taken.
    """

    def load(folder, signature="predict_crops"):
        loaded = tf.saved_model.load(str(loading.export_folder(folder)))

        def predict(rows):
            # Its variables live only as long as `loaded`, so the signature is looked up here.
            outputs = loaded.signatures[signature](tf.constant(rows))
            return {name: value.numpy() for name, value in outputs.items()}

        return predict

    return load


@pytest.fixture
def rng():
    return np.random.default_rng(0)

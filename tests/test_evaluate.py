"""The command on stand-in people, from raw data sets to the page, with each kind of model file."""

import json
import pathlib

import pytest

from hmr_tf2 import evaluate, flagfiles, serving
from hmr_tf2.evaluate import EvaluateSettings
from hmr_tf2.standin import raw_layouts
from tfrecords_tools.convert import convert
from tfrecords_tools.convert_settings import ConvertSettings

DATASETS = ("h36m", "mpi_inf_3dhp")
FLAGS = pathlib.Path(__file__).parents[1] / "flags"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Records of stand-in people, written as the real data sets lie on disk and converted."""
    folder = tmp_path_factory.mktemp("standin")
    raw = raw_layouts.write_raw(folder / "raw", people=1, datasets=DATASETS)
    folders = {f"{name}_dir": str(path) for name, path in raw.items()}
    convert(
        ConvertSettings(datasets=DATASETS, data_dir=str(folder / "data"), workers=1, **folders)
    )
    return folder / "data"


def run(data_dir, out, **settings):
    evaluate.main(EvaluateSettings(data_dir=str(data_dir), out_dir=str(out), **settings))
    return {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/results.json")}


@pytest.fixture(scope="module")
def sources(untrained, save_run, tmp_path_factory):
    """The same weights as a run's folder and as a SavedModel."""
    folder = tmp_path_factory.mktemp("sources")
    export = serving.export(untrained, folder / "export").parent
    return {"run": save_run(untrained, folder / "run"), "export": export}


def test_the_same_weights_give_the_same_numbers_from_any_file(data_dir, sources, tmp_path, capsys):
    def results(name, num_pictures):
        settings = dict(load_path=str(sources[name]), num_pictures=num_pictures)
        return run(data_dir, tmp_path / name, datasets=DATASETS, **settings)

    first = results("run", num_pictures=2)
    printed = capsys.readouterr().out
    for text in (
        "Human3.6M, protocol 1",
        "MPI-INF-3DHP, test set",
        "By action",
        "By activity",
        "Not comparable with published numbers",
        "Look at it:",
    ):
        assert text in printed
    assert (tmp_path / "run/h36m_protocol1/report.html").is_file()
    assert set(first) == {"h36m_protocol1", "mpi_inf_3dhp_test"}
    assert first["mpi_inf_3dhp_test"]["frames"] == 6
    exported = results("export", num_pictures=0)
    for protocol, results in first.items():
        assert exported[protocol]["overall"] == pytest.approx(results["overall"], rel=1e-4)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "--load_path is needed: a training run's folder"),
        ({"load_path": "x", "protocol": 3}, "--protocol accepts 1, 2; got 3"),
        ({"load_path": "x", "datasets": ("h36n",)}, "--datasets accepts lsp, .*'h36n'"),
        ({"load_path": "x", "datasets": ()}, "--datasets accepts .*; got none"),
        ({"load_path": "x", "frame_step": 0}, "--frame_step must be at least 1"),
        ({"load_path": "x", "num_pictures": -1}, "--num_pictures must be at least 0"),
    ],
)
def test_a_wrong_setting_names_its_flag(settings, message):
    with pytest.raises(ValueError, match=message):
        EvaluateSettings(**settings)


def test_missing_records_are_told_of_before_the_model_is_loaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="convert_datasets --datasets=h36m"):
        run(tmp_path, tmp_path / "out", load_path="nowhere")


@pytest.mark.parametrize("name", ["evaluate_h36m", "evaluate_mpi_inf_3dhp", "evaluate_2d"])
def test_the_flagfiles_are_accepted(name):
    given = flagfiles.read_flagfile(FLAGS / f"{name}.cfg", EvaluateSettings)
    assert EvaluateSettings(load_path="x", **given).num_pictures == 30

"""From raw data to an export with no disk that is shared: everything lies at ram:// addresses.

`ram://` is TensorFlow's own, and is reached as gs:// is; it differs in that it is the memory of
this process.
"""

import dataclasses
import json

import numpy as np
import pytest
from raw_samples import RAW, conversion

from hmr_tf2 import loading, serving
from hmr_tf2.checkpoints import run_folder, tf1
from hmr_tf2.evaluation import protocols, run
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.system import HMR_SYSTEM
from hmr_tf2.training.run import train
from tfrecords_tools import inspection, locks, verification, writer
from tfrecords_tools.convert import convert
from tfrecords_tools.files import write_bytes
from tfrecords_tools.paths import path_of
from tfrecords_tools.pool import Workers
from tfrecords_tools.readers import mosh


def contents(folder) -> dict[str, bytes]:
    """Name below the folder -> content, without what depends on times and versions."""
    root = path_of(folder)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def records():
    convert(conversion("ram://bucket/records"))
    return "ram://bucket/records"


def test_records_at_an_address_are_those_on_a_disk(records, tmp_path):
    convert(conversion(tmp_path))
    assert contents(records) == contents(tmp_path)


def test_workers_elsewhere_read_the_rows_that_are_shuffled_at_an_address(tmp_path):
    for number, spool_dir in enumerate((tmp_path / "spool", "ram://spool")):
        for plan in mosh.plans(str(RAW / "neutrMosh"), spool_dir, seed=3):
            writer.write(plan, tmp_path / str(number), Workers(1))
    assert contents(tmp_path / "0") == contents(tmp_path / "1")
    assert not [path for path in path_of("ram://spool").rglob("*") if path.is_file()]


def test_a_conversion_to_an_address_continues_after_the_last_whole_shard(records):
    settings = conversion("ram://bucket/again", datasets=("lsp",), examples_per_shard=2)
    convert(settings)
    whole = contents("ram://bucket/again")
    path = path_of("ram://bucket/again/lsp/train_001.tfrecord")
    path.unlink()
    convert(settings)
    assert contents("ram://bucket/again") == whole
    assert not [name for name in whole if "partial" in name or name.endswith(".lock")]


def test_records_at_an_address_are_verified_and_inspected(records):
    report = verification.verify(records)
    assert report.faults == () and report.shards == 5
    groups = inspection.inspect(records)
    assert "lsp/train" in inspection.table(groups)
    inspection.write_sheet(groups, path_of("ram://bucket/sheet.png"))
    assert path_of("ram://bucket/sheet.png").read_bytes().startswith(b"\x89PNG")


def test_damage_at_an_address_is_found(records):
    source = path_of(records) / "lsp" / "train_000.tfrecord"
    content = bytearray(source.read_bytes())
    content[200] ^= 1
    path = path_of("ram://damaged/lsp/train_000.tfrecord")
    path.parent.mkdir(parents=True)
    write_bytes(path, bytes(content))
    (fault,) = verification.verify("ram://damaged").faults
    assert fault == f"{path}: record 0: damaged (its checksum differs)"


@pytest.fixture(scope="module")
def config(records, small_smpl_path):
    """Trains on the records; the samples have no test people, so some stand in for them."""
    for name, content in contents(records).items():
        write_bytes(path_of("ram://bucket/training", name), content)
        if name == "lsp/train_000.tfrecord":
            write_bytes("ram://bucket/training/lsp/test_000.tfrecord", content)
    return TrainConfig(
        smpl_model_path=str(small_smpl_path),
        data_dir="ram://bucket/training",
        model_dir="ram://bucket/run",
        datasets=("lsp", "mpi_inf_3dhp"),
        val_datasets=("lsp",),
        model_type="small_resnet_fc3_dropout",
        batch_size=2,
        e_lr=1e-5,
        d_lr=1e-4,
        epoch=2,
        log_img_step=2,
        seed=5,
    )


@pytest.fixture(scope="module")
def trained(config):
    """A run at an address that stopped after an epoch and was continued."""
    train(dataclasses.replace(config, epoch=1), HMR_SYSTEM)
    return train(config, HMR_SYSTEM)


def weights_of(folder):
    reader = tf1.reader_of(run_folder.latest_checkpoint(folder))
    names = reader.get_variable_to_shape_map()
    return {
        name: reader.get_tensor(name)
        for name in names
        if name.endswith("VARIABLE_VALUE") and "save_counter" not in name
    }


def test_a_run_at_an_address_is_continued_and_ends_as_on_a_disk(trained, config, tmp_path):
    assert 0 < trained.start_step < trained.end_step
    train(dataclasses.replace(config, model_dir=str(tmp_path / "run")), HMR_SYSTEM)
    here, there = weights_of(tmp_path / "run"), weights_of("ram://bucket/run")
    assert here.keys() == there.keys()
    for name, value in here.items():
        np.testing.assert_array_equal(there[name], value, err_msg=name)


@pytest.mark.slow
def test_a_run_in_the_folder_of_a_file_address_is_that_of_the_folder(config, tmp_path):
    stopped = dataclasses.replace(config, model_dir=f"file://{tmp_path}/run", epoch=1)
    summary = train(dataclasses.replace(stopped, steps_per_epoch=1), HMR_SYSTEM)
    assert summary.model_dir == str(tmp_path / "run")
    assert run_folder.latest_checkpoint(stopped.model_dir) == str(tmp_path / "run" / "ckpt-1")


def test_a_run_at_an_address_leaves_the_same_files(trained):
    folder = path_of(trained.model_dir)
    names = {path.name for path in folder.iterdir()}
    assert {"flags.cfg", "run.json", "train.log", "validation.json", "best"} <= names
    assert any(name.startswith("events.out.tfevents.") for name in names)
    sessions = json.loads((folder / "run.json").read_text())["sessions"]
    assert [session["start_step"] for session in sessions] == [0, trained.start_step]
    log = (folder / "train.log").read_text()
    assert log.count("results go to ram://bucket/run") == 2
    assert "--data_dir=ram://bucket/training" in (folder / "flags.cfg").read_text()
    assert run_folder.latest_checkpoint(folder / "best")


@pytest.mark.slow
def test_a_model_at_an_address_is_evaluated_exported_and_loaded(
    trained, records, small_smpl_path, tmp_path, rng
):
    path, files = loading.model_files(trained.model_dir)
    predictor = loading.load_predictor(path)
    protocol = protocols.find(records, "lsp", split="train")
    text, _ = run.evaluate(protocol, predictor, path, files, tmp_path, num_pictures=1)
    assert "lsp" in text.lower()

    folder = serving.export(loading.load_model(trained.model_dir), "ram://bucket/served")
    assert str(folder) == "ram://bucket/served/1"
    crops = rng.integers(0, 256, (2, 224, 224, 3)).astype(np.float32) / 127.5 - 1
    exported = loading.load_predictor("ram://bucket/served")
    for name, value in predictor.predict_crops(crops).items():
        np.testing.assert_allclose(
            exported.predict_crops(crops)[name], value, rtol=1e-4, atol=1e-4, err_msg=name
        )
    compose = path_of("ram://bucket/served/server/docker-compose.yml").read_text()
    assert "volumes" not in compose and "=ram://bucket/served/server/models.config" in compose


def test_no_lock_at_an_address_is_said(caplog):
    with locks.locked("ram://bucket/locked", ""):
        pass
    assert "ram://bucket/locked cannot be locked" in caplog.text
    assert not path_of("ram://bucket/locked").exists()


def test_an_address_that_tensorflow_does_not_know_is_refused_with_those_that_it_knows():
    with pytest.raises(OSError, match="nowhere://a/b cannot be reached.*gs://.*ram://.*plug-in"):
        convert(conversion("nowhere://a/b", datasets=("lsp",)))


def test_missing_records_at_an_address_are_named(config):
    with pytest.raises(FileNotFoundError, match="There is no folder ram://empty"):
        train(dataclasses.replace(config, data_dir="ram://empty"), HMR_SYSTEM)

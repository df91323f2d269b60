"""Claims about `datasets`: one table, from which flags follow, and the files that it names."""

import dataclasses
import fnmatch
import re

import pytest

from hmr_tf2.hmr.config import TrainConfig
from tfrecords_tools import datasets
from tfrecords_tools.convert import PLANS
from tfrecords_tools.convert_settings import ConvertSettings


def write(data_dir, *names):
    for name in names:
        path = data_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def default_of(settings_class, name):
    return {field.name: field for field in dataclasses.fields(settings_class)}[name].default


def test_names_and_their_order_are_those_of_flags_written_before():
    pictures = ("lsp", "lsp_ext", "mpii", "coco", "h36m", "mpi_inf_3dhp")
    assert datasets.DATASETS == pictures
    assert datasets.DATASETS_3D == ("h36m", "mpi_inf_3dhp")
    assert datasets.MOSH_DATASETS == ("CMU", "H3.6", "jointLim")
    assert datasets.MOCAP_DATASETS == (*datasets.MOSH_DATASETS, "amass")
    assert datasets.STANDIN_DATASETS == (*pictures, "mosh")
    assert datasets.RAW_DATASETS == (*pictures, "mosh", "amass")
    assert datasets.names_of(has_test=True) == ("lsp", "coco", "h36m", "mpi_inf_3dhp")
    assert default_of(TrainConfig, "datasets") == ("lsp", "lsp_ext", "mpii", "coco")
    assert default_of(TrainConfig, "mocap_datasets") == datasets.MOSH_DATASETS


def test_each_data_set_is_known_by_its_name_and_shares_no_files():
    patterns = []
    for name, data_set in datasets.DATA_SETS.items():
        assert data_set.name == name
        patterns += [pattern for pattern in (data_set.train, data_set.test) if pattern]
    assert len(set(patterns)) == len(patterns)


@pytest.mark.parametrize("raw_name", datasets.RAW_DATASETS)
def test_the_converter_writes_what_the_table_names(raw_name, settings, tmp_path):
    plans = PLANS[raw_name](settings(tmp_path, raw_name))
    of_raw = [datasets.DATA_SETS[name] for name in datasets.names_of(raw=raw_name)]
    patterns = {pattern for one in of_raw for pattern in (one.train, one.test) if pattern}
    for plan in plans:
        shard = re.sub(r"%\d*d", "000", plan.shards).replace("*", "any")
        assert any(fnmatch.fnmatch(shard, pattern) for pattern in patterns), plan.name


def test_every_raw_data_set_has_a_flag_and_a_reader():
    flags = {field.name for field in dataclasses.fields(ConvertSettings)}
    assert {f"{name}_dir" for name in datasets.RAW_DATASETS} <= flags
    assert set(PLANS) == set(datasets.RAW_DATASETS)


def test_one_entry_makes_a_data_set_known(tmp_path, monkeypatch):
    new = datasets.DataSet("new", "new/train_*.tfrecord", "new/test_*.tfrecord", has_3d=True)
    monkeypatch.setattr(datasets, "DATA_SETS", {**datasets.DATA_SETS, "new": new})
    assert datasets.names_of(kind=datasets.PICTURE, has_3d=True)[-1] == "new"
    assert datasets.names_of(raw="new") == ("new",)
    write(tmp_path, "new/test_000.tfrecord")
    assert datasets.find_files(tmp_path, ["new"], "test") == {
        "new": [str(tmp_path / "new" / "test_000.tfrecord")]
    }


def test_files_are_those_of_the_split_sorted(tmp_path):
    write(
        tmp_path, *(f"lsp/{split}_00{i}.tfrecord" for split in ("train", "test") for i in (2, 0))
    )
    write(tmp_path, "lsp/train.manifest.json", "lsp/.train_001.tfrecord.0123abcd.partial")
    write(tmp_path, "mocap_neutrMosh/neutrSMPL_CMU_000.tfrecord")
    found = datasets.find_files(str(tmp_path), ["CMU", "lsp"])
    assert list(found) == ["CMU", "lsp"]
    assert found["lsp"] == [str(tmp_path / "lsp" / f"train_00{i}.tfrecord") for i in (0, 2)]
    assert datasets.find_files(tmp_path, ["lsp"], "test")["lsp"][0].endswith("test_000.tfrecord")
    assert datasets.find_files(tmp_path, []) == {}


def test_a_folder_whose_name_looks_like_a_pattern_is_taken_as_it_is(tmp_path):
    write(tmp_path / "a[1]*", "lsp/train_000.tfrecord")
    assert len(datasets.find_files(tmp_path / "a[1]*", ["lsp"])["lsp"]) == 1


def test_all_that_is_missing_is_told_with_what_is_there_and_the_remedy(tmp_path):
    write(tmp_path, "coco/train_000_wmeta.tfrecord", "lsp/test_000.tfrecord")
    with pytest.raises(FileNotFoundError) as caught:
        datasets.find_files(tmp_path, ["coco", "lsp", "CMU", "jointLim"])
    assert str(caught.value) == (
        "No records of 'lsp', 'CMU', 'jointLim':\n"
        f"  nothing matches {tmp_path}/lsp/train_*.tfrecord\n"
        f"  nothing matches {tmp_path}/mocap_neutrMosh/neutrSMPL_CMU_*.tfrecord\n"
        f"  nothing matches {tmp_path}/mocap_neutrMosh/neutrSMPL_jointLim_*.tfrecord\n"
        f"Present in {tmp_path}: coco.\n"
        "Write them with `python -m hmr_tf2.convert_datasets --datasets=lsp,mosh`, or leave them "
        "out; docs/data.md says which raw files each takes."
    )
    with pytest.raises(FileNotFoundError, match="'coco':\n.*coco/val_.*\nPresent in .*: lsp"):
        datasets.find_files(tmp_path, ["coco"], "test")
    with pytest.raises(FileNotFoundError, match="There is no folder /nowhere, which --data_dir"):
        datasets.find_files("/nowhere", ["lsp"])


def test_a_data_set_without_the_split_is_told_with_the_remedy(tmp_path):
    with pytest.raises(ValueError, match="'mpii' has no test records; lsp, coco, .*--split=train"):
        datasets.find_files(tmp_path, ["lsp", "mpii"], "test")


def test_an_unknown_data_set_is_told_with_those_that_there_are(tmp_path):
    with pytest.raises(ValueError, match="no data set 'lps'; there are lsp, .*jointLim"):
        datasets.find_files(tmp_path, ["lps"])


@pytest.mark.parametrize("data_dir", [None, ""])
def test_data_dir_is_needed(data_dir):
    with pytest.raises(ValueError, match="--data_dir is needed"):
        datasets.find_files(data_dir, ["lsp"])

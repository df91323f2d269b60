"""The raw layouts are what the converters take: all seven data sets become records."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.standin.raw_layouts import write_raw
from tfrecords_tools.convert import convert
from tfrecords_tools.convert_settings import ConvertSettings
from tfrecords_tools.datasets import STANDIN_DATASETS

PEOPLE = {
    "lsp": 6,
    "lsp_ext": 6,
    "mpii": 10,
    "coco": 8,
    "mpi_inf_3dhp": 112,
    "h36m": 56,
    "mosh": 8,
}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    home = tmp_path_factory.mktemp("converted")
    folders = write_raw(home / "raw", PEOPLE, seed=1)
    settings = ConvertSettings(
        datasets=STANDIN_DATASETS,
        data_dir=str(home / "records"),
        workers=1,
        **{f"{name}_dir": str(folder) for name, folder in folders.items()},
    )
    return home / "records", convert(settings).examples


def examples(folder, pattern):
    for path in sorted(folder.glob(pattern)):
        for serialized in tf.data.TFRecordDataset(str(path)):
            yield tf.train.Example.FromString(serialized.numpy()).features.feature


def test_every_data_set_gives_records(records):
    counts = records[1]
    assert {name.split("/")[0] for name in counts} == set(STANDIN_DATASETS)
    assert min(counts.values()) > 0


def test_most_people_are_kept(records):
    counts = records[1]
    assert counts["lsp/train"] == 6 and counts["lsp_ext/train"] == 6
    assert counts["mpi_inf_3dhp/train"] > 0.6 * 112  # frames without much movement are left out
    assert counts["mpii/train"] >= 8 and counts["coco/train"] >= 6


@pytest.mark.parametrize(
    "pattern", ["mpi_inf_3dhp/train/*", "tf_records_human36m_wjoints/train/*"]
)
def test_3d_joints_are_metres_of_a_whole_person(records, pattern):
    sizes = []
    for feature in examples(records[0], f"{pattern}.tfrecord"):
        joints = np.reshape(feature["mosh/gt3d"].float_list.value, (14, 3))
        sizes.append(np.linalg.norm(np.ptp(joints, axis=0)))
    assert len(sizes) > 10
    assert 0.6 < min(sizes) and max(sizes) < 2.6


def test_human36m_records_carry_smpl_labels(records):
    labelled = [
        feature["meta/has_3d"].int64_list.value[0]
        for feature in examples(records[0], "tf_records_human36m_wjoints/train/*.tfrecord")
    ]
    assert len(labelled) > 10 and np.mean(labelled) == 1


def test_people_of_the_records_stand_in_the_middle(records):
    for feature in examples(records[0], "lsp/train_*.tfrecord"):
        x, y = feature["image/center"].int64_list.value
        assert 0.2 < x / feature["image/width"].int64_list.value[0] < 0.8
        assert 0.2 < y / feature["image/height"].int64_list.value[0] < 0.8

"""Claims about `python -m tfrecords_tools.verify`: it finds every fault and names it."""

import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools import manifest, records
from tfrecords_tools.plan import ConversionError
from tfrecords_tools.verification import verify


@pytest.fixture
def copied(converted, tmp_path):
    """A copy of the converted samples that a test may damage."""
    shutil.copytree(converted, tmp_path / "records")
    return tmp_path / "records"


def image(**changes) -> dict:
    picture = tf.io.encode_jpeg(np.zeros((20, 30, 3), np.uint8)).numpy()
    keypoints = np.column_stack([np.full((14, 2), 5.0), np.ones(14)])
    values = {"encoded": picture, "filename": "a.jpg", "height": 20, "width": 30}
    return {**values, "keypoints": keypoints, "center": (15, 10), **changes}


def image_3d(**changes) -> dict:
    values = {
        "joints_m": np.ones((14, 3)),
        "camera": (500.0, 15.0, 10.0),
        "scale_factors": (0.5, 0.5),
        "crop_start": (0, 0),
        "pose": np.zeros(72),
        "shape": np.zeros(10),
    }
    return {**image(), **values, **changes}


def write(path, *examples: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            writer.write(example)


def test_what_was_converted_is_well(copied):
    report = verify(copied)
    assert report.faults == () and report.examples == 6 + 6 + 14 + 15 + 6 + 25 + 14 + 10


@pytest.mark.parametrize("has_manifest", [True, False])
def test_any_flipped_bit_is_found_and_named(copied, has_manifest):
    if not has_manifest:
        for path in copied.rglob("*.json"):
            path.unlink()
    rng = random.Random(0)
    files = sorted(path for path in copied.rglob("*") if path.is_file())
    for _ in range(12):
        path = rng.choice(files)
        good = path.read_bytes()
        damaged = bytearray(good)
        damaged[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        faults = verify(path.parent).faults
        assert any(str(path) in fault for fault in faults)
        if path.suffix == ".tfrecord":
            assert any(f"{path}: record " in fault for fault in faults)
        path.write_bytes(good)


def test_records_behind_a_damaged_one_are_still_looked_at(tmp_path):
    path = tmp_path / "lsp" / "train_000.tfrecord"
    far = image(center=(10**7, 0))
    write(path, *(records.image_example(**values) for values in (image(), image(), far)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    faults = verify(tmp_path).faults
    assert any("record 1: damaged" in fault for fault in faults)
    assert any("record 2: image/center" in fault for fault in faults)


@pytest.mark.parametrize(
    ("feature", "changes"),
    [
        ("image/x", {"keypoints": np.full((14, 3), np.nan)}),
        ("image/visibility", {"keypoints": np.full((14, 3), 7.0)}),
        ("image/height", {"height": 21}),
        ("image/width", {"width": 31}),
        ("image/encoded", {"encoded": b"GIF89a"}),
        ("image/center", {"center": (10**6, 3)}),
        ("mosh/gt3d", {"joints_m": np.full((14, 3), 1500.0)}),
        ("mosh/pose", {"pose": np.full(72, np.inf)}),
        ("mosh/shape", {"shape": np.full(10, np.nan)}),
        ("image/cam", {"camera": (0.0, 1.0, 1.0)}),
        ("meta/scale_factors", {"scale_factors": (0.0, 1.0)}),
    ],
)
def test_a_value_out_of_range_names_record_and_feature(tmp_path, feature, changes):
    if feature == "image/x":
        changes = {"keypoints": np.column_stack([np.full((14, 2), np.nan), np.ones(14)])}
    path = tmp_path / "train_000.tfrecord"
    good = records.image_3d_example(**image_3d())
    write(path, good, records.image_3d_example(**image_3d(**changes)), good)
    faults = verify(tmp_path).faults
    assert any(fault.startswith(f"{path}: record 1: {feature}: ") for fault in faults)
    assert all("record 1" in fault for fault in faults)


def test_a_record_without_a_feature_is_named(tmp_path):
    example = tf.train.Example.FromString(records.image_example(**image()))
    del example.features.feature["image/visibility"]
    write(tmp_path / "a.tfrecord", records.image_example(**image()), example.SerializeToString())
    assert verify(tmp_path).faults == (
        f"{tmp_path}/a.tfrecord: record 1: image/visibility: missing",
    )


def test_missing_foreign_and_unfinished_shards_are_named(copied):
    (copied / "lsp" / "train_000.tfrecord").unlink()
    shutil.copy(copied / "mpii" / "train_000.tfrecord", copied / "mpii" / "train_001.tfrecord")
    unfinished = copied / "coco" / "train.manifest.json"
    found = manifest.load(unfinished)
    found.complete = False
    found.save(unfinished)
    faults = "\n".join(verify(copied).faults)
    assert "lsp/train_000.tfrecord: missing" in faults
    assert "mpii/train_001.tfrecord: not in the manifest" in faults
    assert "coco/train.manifest.json: the conversion is not complete" in faults


def test_a_folder_without_records_is_an_error(tmp_path):
    with pytest.raises(ConversionError, match="no record file"):
        verify(tmp_path)
    with pytest.raises(ConversionError, match="not a folder"):
        verify(tmp_path / "none")


def test_the_command_exits_with_1_and_prints_the_fault_only(copied):
    path = copied / "lsp" / "train_000.tfrecord"
    path.write_bytes(path.read_bytes()[:-3])
    run = subprocess.run(
        [sys.executable, "-m", "tfrecords_tools.verify", str(copied / "lsp")],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert "record 5 is cut off" in run.stdout and "Traceback" not in run.stderr
    assert run.stderr == ""

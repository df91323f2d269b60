"""What is evaluated: the original's crops and truths, every record once, in order."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.crops import scale_and_crop
from hmr_tf2.data.record_index import index_files
from hmr_tf2.evaluation import reading
from tfrecords_tools.datasets import find_files


def read_all(files, batch_size, **options):
    index = index_files([str(file) for file in files])
    numbers = reading.in_batches(np.arange(len(index)), batch_size)
    batches = list(reading.read_batches(index, numbers, **options))
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}, [
        len(batch["image"]) for batch in batches
    ]


@pytest.fixture
def originals(golden, tmp_path):
    """The golden arrays, and their eight records as a file."""
    arrays, _ = golden("golden_eval_seed0.npz")
    file = tmp_path / "S9_Directions_0_cam0.tfrecord"
    with tf.io.TFRecordWriter(str(file)) as writer:
        for number in range(8):
            writer.write(arrays[f"record{number}"].tobytes())
    return arrays, file


def test_crops_and_truths_equal_the_original(originals):
    arrays, file = originals
    got, sizes = read_all([file], has_3d=True, batch_size=3)
    assert sizes == [3, 3, 2]
    # The golden file keeps every ninth pixel of four crops, keypoints in [-1, 1].
    np.testing.assert_allclose(
        got["image"][:4, ::9, ::9], arrays["eval_images"], rtol=0, atol=2e-7
    )
    keypoints = got["keypoints"][:, :14] / [112.0, 112.0, 1.0] - [1.0, 1.0, 0.0]
    np.testing.assert_allclose(keypoints, arrays["eval_kps"], atol=3e-7)
    np.testing.assert_array_equal(got["joints3d"], arrays["eval_gt3ds"].astype(np.float32))


def test_a_record_gives_the_crop_that_the_demo_cuts_at_scale_1(originals):
    """Training and demo resize by two rules, as the original; they cut by one."""
    arrays, file = originals
    got, _ = read_all([file], has_3d=True, batch_size=8)
    for number in range(8):
        record = tf.train.Example.FromString(arrays[f"record{number}"].tobytes())
        feature = record.features.feature
        picture = tf.io.decode_jpeg(feature["image/encoded"].bytes_list.value[0], channels=3)
        center = np.array(feature["image/center"].int64_list.value)
        crop = scale_and_crop(picture.numpy(), 1.0, center)
        np.testing.assert_allclose(got["image"][number], crop.image, rtol=0, atol=2e-7)
        x, y, visible = got["keypoints"][number, :14].T
        stored = np.stack([feature[f"image/{axis}"].float_list.value for axis in "xy"], axis=1)
        found = crop.to_picture(np.stack([x, y], axis=1))
        np.testing.assert_allclose(found[visible > 0], stored[visible > 0], atol=1e-4)


def test_records_come_in_order_with_what_is_known_of_them(people):
    people.write("mpi_inf_3dhp/test/TS1.tfrecord", 3, activity=6)
    people.write("mpi_inf_3dhp/test/TS2.tfrecord", 2)
    files = find_files(people.data_dir, ["mpi_inf_3dhp"], "test")["mpi_inf_3dhp"]
    got, _ = read_all(files, has_3d=True, batch_size=4)
    assert people.who(got["image"]).tolist() == [0, 1, 2, 3, 4]
    assert got["filename"].tolist() == [b"0.png", b"1.png", b"2.png", b"3.png", b"4.png"]
    assert got["activity"].tolist() == [6, 6, 6, 0, 0]
    np.testing.assert_array_equal(got["joints3d"], people.joints3d)
    np.testing.assert_allclose(got["keypoints"][:, :14], people.keypoints, atol=1e-4)


def test_any_records_can_be_asked_for(people):
    people.write("lsp/test_000.tfrecord", 6, has_3d=False)
    index = index_files(find_files(people.data_dir, ["lsp"], "test")["lsp"])
    batches = reading.read_batches(index, [np.array([5, 0, 3]), np.array([2])], has_3d=False)
    assert [people.who(batch["image"]).tolist() for batch in batches] == [[5, 0, 3], [2]]

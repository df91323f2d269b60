"""Claims about the record schema: what is built is what is read."""

import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools import checks, records


def image(**changes) -> dict:
    keypoints = np.arange(42.0).reshape(14, 3)
    values = {"encoded": b"jpeg", "filename": "some/folder/a.jpg", "height": 4, "width": 5}
    return {**values, "keypoints": keypoints, "center": (2.9, -1.9), **changes}


def image_3d(**changes) -> dict:
    values = {
        "joints_m": np.arange(42.0).reshape(14, 3),
        "camera": (1.0, 2.0, 3.0),
        "scale_factors": (0.5, 0.25),
        "crop_start": (7, 8),
    }
    return {**image(), **values, **changes}


def test_an_image_example_reads_back():
    row = tf.io.parse_single_example(records.image_example(**image()), records.image_spec())
    assert row["image/filename"] == b"a.jpg" and row["image/encoded"] == b"jpeg"
    assert list(row["image/center"].numpy()) == [2, -1]  # truncated towards zero
    assert np.array_equal(row["image/y"], np.arange(14) * 3 + 1)
    assert not row["image/face_pts"].numpy().any()


def test_face_points_are_stored_as_x_then_y_then_visibility():
    keypoints = np.arange(57.0).reshape(19, 3)
    row = tf.io.parse_single_example(
        records.image_example(**image(keypoints=keypoints)), records.image_spec()
    )
    assert np.array_equal(row["image/face_pts"].numpy().reshape(3, 5), keypoints[14:].T)


def test_a_record_without_smpl_labels_holds_minus_one():
    row = tf.io.parse_single_example(
        records.image_3d_example(**image_3d()), records.image_3d_spec()
    )
    assert row["meta/has_3d"] == 0
    assert (row["mosh/pose"].numpy() == -1).all() and (row["mosh/shape"].numpy() == -1).all()
    labelled = image_3d(pose=np.ones(72), shape=np.zeros(10))
    row = tf.io.parse_single_example(records.image_3d_example(**labelled), records.image_3d_spec())
    assert row["meta/has_3d"] == 1 and (row["mosh/pose"].numpy() == 1).all()


def test_equal_input_gives_equal_bytes_and_the_kind_is_told():
    for schema, example in (
        ("image", lambda: records.image_example(**image())),
        ("image_3d", lambda: records.image_3d_example(**image_3d())),
        ("mocap", lambda: records.mocap_example(np.zeros(72), np.zeros(10))),
    ):
        assert example() == example()
        assert checks.schema_of(example()) == schema


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match=r"\[14, 3\] or \[19, 3\], got \[17, 3\]"):
        records.image_example(**image(keypoints=np.zeros((17, 3))))
    with pytest.raises(ValueError, match="72 values, got 71"):
        records.mocap_example(np.zeros(71), np.zeros(10))
    with pytest.raises(ValueError, match="both a pose and a shape"):
        records.image_3d_example(**image_3d(pose=np.zeros(72)))

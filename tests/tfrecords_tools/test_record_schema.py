"""Claims about the record schema: what is built is what is read."""

import fnmatch
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools import checks, datasets, records

GOLDEN = json.loads(
    (pathlib.Path(__file__).parents[1] / "golden" / "golden_convert_s0.json").read_text()
)


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


def test_features_stand_in_the_order_of_their_names():
    """In a protocol buffer's map they have no order, and another run could store other bytes."""
    record = records.image_3d_example(**image_3d())
    names = sorted(tf.train.Example.FromString(record).features.feature)
    places = [record.index(b"\n" + bytes([len(name)]) + name.encode()) for name in names]
    assert places == sorted(places) and len(names) > 10


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match=r"\[14, 3\] or \[19, 3\], got \[17, 3\]"):
        records.image_example(**image(keypoints=np.zeros((17, 3))))
    with pytest.raises(ValueError, match="72 values, got 71"):
        records.mocap_example(np.zeros(71), np.zeros(10))
    with pytest.raises(ValueError, match="both a pose and a shape"):
        records.image_3d_example(**image_3d(pose=np.zeros(72)))


def stored(serialized: bytes) -> dict:
    """The features of an Example, without the picture, in the form of the golden file."""
    features = tf.train.Example.FromString(serialized).features.feature
    values = {n: list(getattr(f, f.WhichOneof("kind")).value) for n, f in features.items()}
    values = {n: v[0].decode() if isinstance(v[0], bytes) else v for n, v in values.items()}
    return {n: v for n, v in values.items() if n != "image/encoded"}


def originals(schema: str) -> list[dict]:
    """Examples that the original's converters wrote."""
    kinds = {"image": ("lsp", "mpii", "coco"), "image_3d": ("mpi_inf",), "mocap": ("mocap",)}
    rows = [row for name in GOLDEN if name.startswith(kinds[schema]) for row in GOLDEN[name]]
    return [{n: v for n, v in row.items() if n != "image/encoded"} for row in rows]


def picture_of(row: dict) -> dict:
    """The arguments that must give the features of `row`."""
    keypoints = np.transpose([row["image/x"], row["image/y"], row["image/visibility"]])
    if "image/face_pts" in row:
        face = np.reshape(row["image/face_pts"], (3, 5)).T
        keypoints = np.concatenate([keypoints, face])
    (height,), (width,) = row["image/height"], row["image/width"]
    return dict(
        encoded=b"jpeg",
        filename=row["image/filename"],
        height=height,
        width=width,
        keypoints=keypoints,
        center=row["image/center"],
    )


def test_built_from_the_originals_values_an_image_example_has_its_features():
    for row in originals("image"):
        assert stored(records.image_example(**picture_of(row))) == row


@pytest.mark.parametrize("has_smpl", [False, True])
def test_built_from_the_originals_values_a_3d_example_has_its_features(has_smpl):
    for row in originals("image_3d"):
        labels = {}
        if has_smpl:
            labels = {"pose": np.arange(72.0), "shape": np.arange(10.0)}
            row = row | {"mosh/pose": [*range(72)], "mosh/shape": [*range(10)]}
            row["meta/has_3d"] = [1]
        example = records.image_3d_example(
            **picture_of(row),
            joints_m=np.reshape(row["mosh/gt3d"], (14, 3)),
            camera=row["image/cam"],
            scale_factors=row["meta/scale_factors"],
            crop_start=row["meta/crop_pt"],
            **labels,
        )
        assert stored(example) == row


def test_built_from_the_originals_values_a_mocap_example_has_its_features():
    for row in originals("mocap"):
        assert stored(records.mocap_example(row["pose"], row["shape"])) == row


@pytest.mark.parametrize("schema", checks.SPECS)
def test_a_spec_reads_every_feature_that_is_stored(schema):
    arguments = image(keypoints=np.arange(57.0).reshape(19, 3))
    example = {
        "image": lambda: records.image_example(**arguments),
        "image_3d": lambda: records.image_3d_example(**{**image_3d(activity=6), **arguments}),
        "mocap": lambda: records.mocap_example(np.arange(72.0), np.arange(10.0)),
    }[schema]()
    read = tf.io.parse_single_example(example, checks.SPECS[schema]())
    expected = stored(example)
    assert set(read) - {"image/encoded"} == set(expected)
    for name, values in expected.items():
        got = read[name].numpy()
        assert (got.decode() if isinstance(got, bytes) else got.ravel().tolist()) == values


def test_records_of_the_original_without_format_are_jpeg():
    example = tf.train.Example.FromString(records.image_example(**image()))
    del example.features.feature["image/format"]
    read = tf.io.parse_single_example(example.SerializeToString(), records.image_spec())
    assert read["image/format"] == b"JPEG"


def test_an_activity_is_stored_where_there_is_one_and_read_as_0_elsewhere():
    def activity(**changes):
        example = records.image_3d_example(**image_3d(**changes))
        return tf.io.parse_single_example(example, records.image_3d_spec())["meta/activity"]

    assert activity(activity=6) == 6 and activity() == 0
    assert "meta/activity" in stored(records.image_3d_example(**image_3d(activity=0)))
    assert "meta/activity" not in stored(records.image_3d_example(**image_3d()))


# Where the original's converters write and its loaders look (src/data_loader.py,
# prepare_datasets.sh); test records of 2-D sets and of 3DHP are ours.
ORIGINAL_FILES = {
    "lsp/train_000.tfrecord": ("lsp", "train"),
    "lsp/test_001.tfrecord": ("lsp", "test"),
    "lsp_ext/train_019.tfrecord": ("lsp_ext", "train"),
    "mpii/train_033.tfrecord": ("mpii", "train"),
    "coco/train_0079_wmeta.tfrecord": ("coco", "train"),
    "coco/val_0001_wmeta.tfrecord": ("coco", "test"),
    "mpi_inf_3dhp/train/train_0299.tfrecord": ("mpi_inf_3dhp", "train"),
    "mpi_inf_3dhp/test/TS1.tfrecord": ("mpi_inf_3dhp", "test"),
    "tf_records_human36m_wjoints/train/train_0001.tfrecord": ("h36m", "train"),
    "tf_records_human36m_wjoints/test/S9_Eating_0_cam3.tfrecord": ("h36m", "test"),
    "mocap_neutrMosh/neutrSMPL_CMU_000.tfrecord": ("CMU", "train"),
    "mocap_neutrMosh/neutrSMPL_H3.6_001.tfrecord": ("H3.6", "train"),
    "mocap_neutrMosh/neutrSMPL_jointLim_000.tfrecord": ("jointLim", "train"),
}


@pytest.mark.parametrize("path", sorted({*ORIGINAL_FILES, *GOLDEN}))
def test_each_file_of_the_original_belongs_to_one_data_set_and_split(path):
    found = [
        (name, split)
        for name, data_set in datasets.DATA_SETS.items()
        for split in ("train", "test")
        if (pattern := data_set.pattern(split)) and fnmatch.fnmatch(path, pattern)
    ]
    expected = ORIGINAL_FILES.get(path)
    assert len(found) == 1 and found[0] == (expected or found[0])

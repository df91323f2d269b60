"""Damaged raw data: skipped, counted and named; what the user can mend is an error."""

import json
import pickle
import shutil

import numpy as np
import pytest
import scipy.io
import tensorflow as tf

from tfrecords_tools import manifest
from tfrecords_tools.convert import convert
from tfrecords_tools.plan import ConversionError
from tfrecords_tools.readers import mpii


@pytest.fixture
def raw_copy(raw, tmp_path):
    def copy(name):
        shutil.copytree(raw / name, tmp_path / name)
        return tmp_path / name

    return copy


def skipped(data_dir, name) -> dict:
    return manifest.load(data_dir / f"{name}.manifest.json").skipped


def test_lsp_pictures_missing_cut_off_or_no_pictures(raw_copy, tmp_path, settings, caplog):
    root = raw_copy("lsp_dataset")
    (root / "images" / "im0001.jpg").unlink()
    picture = root / "images" / "im0002.jpg"
    picture.write_bytes(picture.read_bytes()[:-2000])
    (root / "images" / "im0003.jpg").write_bytes(b"<html>Not found</html>")
    (root / "images" / "im0004.jpg").write_bytes(b"")
    summary = convert(settings(tmp_path / "out", "lsp", lsp_dir=str(root), max_skipped=0.9))
    assert summary.examples == {"lsp/train": 2}
    assert skipped(tmp_path / "out", "lsp/train") == {
        "picture damaged": 2,
        "picture empty": 1,
        "picture missing": 1,
    }
    for name in ("im0001", "im0002", "im0003", "im0004"):
        assert name in caplog.text


def test_too_many_skips_fail_with_the_reason(raw_copy, tmp_path, settings):
    root = raw_copy("lsp_dataset")
    (root / "images" / "im0001.jpg").unlink()
    with pytest.raises(ConversionError, match=r"1 of 6 .*max_skipped=0\.01.*im0001\.jpg"):
        convert(settings(tmp_path / "out", "lsp", lsp_dir=str(root)))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_keypoints_that_are_no_pixels(raw_copy, tmp_path, settings, value):
    root = raw_copy("lsp_dataset")
    joints = scipy.io.loadmat(root / "joints.mat")["joints"]
    joints[0, 2, 0] = value
    scipy.io.savemat(root / "joints.mat", {"joints": joints})
    convert(settings(tmp_path / "out", "lsp", lsp_dir=str(root), max_skipped=0.5))
    assert skipped(tmp_path / "out", "lsp/train") == {"keypoints absurd": 1}


def test_a_person_without_visible_joints_is_skipped_by_rule(raw_copy, tmp_path, settings):
    root = raw_copy("lsp_extended")
    joints = scipy.io.loadmat(root / "joints.mat")["joints"]
    joints[:, 2, 3] = 0
    scipy.io.savemat(root / "joints.mat", {"joints": joints})
    convert(settings(tmp_path / "out", "lsp_ext", lsp_ext_dir=str(root)))
    assert skipped(tmp_path / "out", "lsp_ext/train") == {"no visible joint": 1}


def test_lsp_extended_is_told_by_its_flag_and_not_by_its_size(tmp_path, settings, raw):
    same = {"lsp_ext_dir": str(raw / "lsp_extended")}
    assert convert(settings(tmp_path / "out", "lsp_ext", **same)).examples == {"lsp_ext/train": 6}


def test_lsp_in_other_capitals_gives_the_same_records(raw_copy, converted, tmp_path, settings):
    root = raw_copy("lsp_dataset")
    (root / "joints.mat").rename(root / "Joints.MAT")
    for path in (root / "images").iterdir():
        path.rename(path.with_name(path.name.upper()))
    (root / "images").rename(root / "Images")
    convert(settings(tmp_path / "out", "lsp", lsp_dir=str(root)))
    made = tf.data.TFRecordDataset(str(tmp_path / "out" / "lsp" / "train_000.tfrecord"))
    expected = tf.data.TFRecordDataset(str(converted / "lsp" / "train_000.tfrecord"))
    for one, other in zip(made, expected, strict=True):
        assert one.numpy().replace(b"IM000", b"im000").replace(b".JPG", b".jpg") == other.numpy()


@pytest.mark.parametrize("place", [".", "mpii_human_pose_v1_u12_2"])
def test_mpii_annotations_lie_where_their_archive_was_unpacked(
    raw_copy, converted, tmp_path, settings, place
):
    root = raw_copy("mpii")
    (root / place).mkdir(exist_ok=True)
    name = "mpii_human_pose_v1_u12_1.mat"
    (root / "annotations" / name).rename(root / place / name)
    convert(settings(tmp_path / "out", "mpii", mpii_dir=str(root)))
    shard = "mpii/train_000.tfrecord"
    assert (tmp_path / "out" / shard).read_bytes() == (converted / shard).read_bytes()


def write_mpii(path, points, single, number=1):
    """An annotation of `number` pictures with one person each."""
    rect = {"objpos": {"x": 1.0, "y": 1.0}, "scale": 1.0, "annopoints": {"point": points}}
    pictures = [{"image": {"name": f"{i}.jpg"}, "annorect": rect} for i in range(number)]
    release = {
        "annolist": np.array(pictures, object),
        "img_train": np.ones(number),
        "single_person": single,
    }
    scipy.io.savemat(path, {"RELEASE": release})


MPII_POINTS = [{"id": i, "x": 10.0 * i, "y": 7.0 * i, "is_visible": 1} for i in range(16)]


def test_mpii_lists_of_one_that_matlab_made_scalars_are_read(tmp_path):
    write_mpii(tmp_path / "a.mat", np.array(MPII_POINTS, object), np.array([1.0]))
    (picture,) = mpii.read_pictures(tmp_path / "a.mat").values
    assert picture.file == "images/0.jpg" and len(picture.people) == 1


@pytest.mark.parametrize("field", ["id", "x", "y"])
def test_an_mpii_person_with_a_missing_field_is_counted(tmp_path, field):
    points = [{k: v for k, v in point.items() if k != field} for point in MPII_POINTS]
    write_mpii(tmp_path / "a.mat", np.array(points, object), np.array([1.0]))
    items = mpii.read_pictures(tmp_path / "a.mat")
    assert not items.values and items.skipped == {"person without keypoints": 1}


def test_one_missing_mpii_picture_costs_its_people_only(raw_copy, tmp_path, settings):
    root = raw_copy("mpii")
    (root / "images" / "015601864.jpg").unlink()
    summary = convert(settings(tmp_path / "out", "mpii", mpii_dir=str(root), max_skipped=0.5))
    assert summary.examples == {"mpii/train": 13}
    assert skipped(tmp_path / "out", "mpii/train")["picture missing"] == 1


def edit_coco(root, change) -> None:
    path = root / "annotations" / "person_keypoints_train2014.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_coco_pictures_may_lie_without_the_folder_images(raw_copy, tmp_path, settings):
    root = raw_copy("coco")
    (root / "images" / "train2014").rename(root / "train2014")
    assert convert(settings(tmp_path / "out", "coco", coco_dir=str(root))).examples == {
        "coco/train": 15
    }


def test_coco_val_is_converted_where_it_is_there(raw_copy, tmp_path, settings):
    root = raw_copy("coco")
    shutil.copytree(root / "images" / "train2014", root / "images" / "val2014")
    annotations = root / "annotations"
    shutil.copy(
        annotations / "person_keypoints_train2014.json",
        annotations / "person_keypoints_val2014.json",
    )
    convert(settings(tmp_path / "out", "coco", coco_dir=str(root)))
    assert (tmp_path / "out" / "coco" / "val_0000_wmeta.tfrecord").is_file()


def test_coco_masks_that_are_empty_or_damaged(raw_copy, tmp_path, settings):
    def change(values):
        values["annotations"][0]["segmentation"] = []
        values["annotations"][1]["segmentation"] = [[1.0, 1.0]]
        values["annotations"][2]["segmentation"] = {"counts": "no mask"}

    root = raw_copy("coco")
    edit_coco(root, change)
    convert(settings(tmp_path / "out", "coco", coco_dir=str(root), max_skipped=0.5))
    reasons = skipped(tmp_path / "out", "coco/train")
    assert reasons.get("mask empty", 0) + reasons.get("mask damaged", 0) == 3


def test_a_coco_annotation_without_people_is_an_error(raw_copy, tmp_path, settings):
    root = raw_copy("coco")
    edit_coco(root, lambda values: values.update(annotations=[]))
    with pytest.raises(ConversionError, match=r"coco/train: no Example"):
        convert(settings(tmp_path / "out", "coco", coco_dir=str(root)))


@pytest.mark.parametrize(
    ("dataset", "file"),
    [
        ("lsp", "lsp_dataset/joints.mat"),
        ("lsp_ext", "lsp_extended/joints.mat"),
        ("mpii", "mpii/annotations/mpii_human_pose_v1_u12_1.mat"),
        ("coco", "coco/annotations/person_keypoints_train2014.json"),
        ("mpi_inf_3dhp", "mpi_inf_3dhp/S1/Seq1/annot.mat"),
        ("mpi_inf_3dhp", "mpi_inf_3dhp/S1/Seq1/camera.calibration"),
        ("mosh", "neutrMosh/neutrSMPL_CMU/01/01_00.pkl"),
    ],
)
@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty"])
def test_a_damaged_annotation_is_named(raw_copy, tmp_path, settings, dataset, file, damage):
    root = raw_copy(file.split("/")[0])
    path = tmp_path / file
    good = path.read_bytes()
    path.write_bytes(
        {"garbage": b"\0" * 500, "truncated": good[: len(good) // 3], "empty": b""}[damage]
    )
    with pytest.raises((ConversionError, ValueError), match=path.name.replace(".", r"\.")):
        convert(settings(tmp_path / "out", dataset, **folder_flag(dataset, root)))


@pytest.mark.parametrize(
    ("dataset", "file"),
    [
        ("lsp", "lsp_dataset/joints.mat"),
        ("mpii", "mpii/annotations/mpii_human_pose_v1_u12_1.mat"),
        ("coco", "coco/annotations/person_keypoints_train2014.json"),
        ("mpi_inf_3dhp", "mpi_inf_3dhp/S1/Seq1/camera.calibration"),
    ],
)
def test_a_missing_annotation_is_named_before_any_work(
    raw_copy, tmp_path, settings, dataset, file
):
    root = raw_copy(file.split("/")[0])
    (tmp_path / file).unlink()
    with pytest.raises(ConversionError, match="is missing: expected .* Present in "):
        convert(settings(tmp_path / "out", "mosh", dataset, **folder_flag(dataset, root)))
    assert not (tmp_path / "out").exists()


def folder_flag(dataset: str, root) -> dict:
    return {f"{dataset}_dir": str(root)}


def test_a_hostile_mosh_pickle_is_refused_by_name(raw_copy, tmp_path, settings, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = raw_copy("neutrMosh")
    path = root / "neutrSMPL_CMU" / "01" / "01_00.pkl"
    path.write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(ValueError, match=r"01_00\.pkl asks for `os\.system`"):
        convert(settings(tmp_path / "out", "mosh", mosh_dir=str(root)))
    assert not (tmp_path / "pwned").exists()


def test_mosh_leaves_the_test_subjects_out_and_reads_both_keys(tmp_path, settings):
    folder = tmp_path / "S9_of_mine" / "neutrSMPL_H3.6"
    for subject, key in (("S1", "new_poses"), ("S9", "new_poses"), ("S11", "poses")):
        (folder / subject).mkdir(parents=True)
        values = {key: np.ones((4, 72)), "betas": np.zeros(10)}
        (folder / subject / "a.pkl").write_bytes(pickle.dumps(values, 2))
    made = convert(settings(tmp_path / "out", "mosh", mosh_dir=str(folder.parent)))
    assert made.examples == {"mosh/H3.6": 4}


def test_a_mosh_pickle_without_poses_is_named(raw_copy, tmp_path, settings):
    root = raw_copy("neutrMosh")
    path = root / "neutrSMPL_CMU" / "01" / "01_00.pkl"
    path.write_bytes(pickle.dumps({"betas": np.zeros(10)}, 2))
    with pytest.raises(ConversionError, match=r"01_00\.pkl: expected `poses` or `new_poses`"):
        convert(settings(tmp_path / "out", "mosh", mosh_dir=str(root)))
    assert not list((tmp_path / "out").rglob("*.tfrecord"))
    assert not list((tmp_path / "out").rglob(".*"))

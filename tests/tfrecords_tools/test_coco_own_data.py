"""Claims about own data in COCO's form: what may be missing, and what is refused."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools import datasets, joints, manifest
from tfrecords_tools.convert import convert
from tfrecords_tools.plan import ConversionError
from tfrecords_tools.readers import coco
from tfrecords_tools.readers.coco_annotations import Annotated, Item
from tfrecords_tools.verification import verify

FILE = "annotations/person_keypoints_train2014.json"
DROPPED = ("segmentation", "num_keypoints", "iscrowd", "area", "category_id", "id")


@pytest.fixture
def own(raw, tmp_path):
    """Writes the sample as own data, after `change(values)`; returns the two flags."""

    def make(change=lambda values: None) -> dict:
        values = json.loads((raw / "coco" / FILE).read_text())
        change(values)
        (tmp_path / "my people.json").write_text(json.dumps(values))
        if not (tmp_path / "pictures").exists():
            shutil.copytree(raw / "coco" / "images" / "train2014", tmp_path / "pictures")
        return {
            "coco_annotations": str(tmp_path / "my people.json"),
            "coco_images": str(tmp_path / "pictures"),
            "coco_dir": None,
        }

    return make


def shard(data_dir) -> bytes:
    return (data_dir / "coco" / "train_0000_wmeta.tfrecord").read_bytes()


def skipped(data_dir) -> dict:
    return manifest.load(data_dir / "coco" / "train.manifest.json").skipped


def test_coco_under_another_name_gives_the_same_records(own, converted, tmp_path, settings):
    made = convert(settings(tmp_path / "out", "coco", **own()))
    assert made.examples == {"coco/train": 15}
    assert shard(tmp_path / "out") == shard(converted)
    assert datasets.find_files(tmp_path / "out", ["coco"])
    about = manifest.load(tmp_path / "out" / "coco" / "train.manifest.json").settings
    assert about["source"] == "my people.json"


def test_without_what_others_leave_out_the_box_decides(own, converted, tmp_path, settings):
    """The boxes of the sample are those of its masks, so the same people stay."""

    def change(values):
        for entry in values["annotations"]:
            for key in DROPPED:
                del entry[key]
        for image in values["images"]:
            del image["height"], image["width"]
        del values["categories"], values["licenses"], values["info"]

    crowds = [e for e in json.loads(_text_of_sample())["annotations"] if e["iscrowd"]]
    flags = own(lambda values: (_without_crowds(values), change(values)))
    made = convert(settings(tmp_path / "out", "coco", **flags))
    assert crowds and made.examples == {"coco/train": 15}
    assert sorted(_records(tmp_path / "out")) == sorted(_records(converted))
    assert verify(tmp_path / "out").faults == ()


def _text_of_sample() -> str:
    return (pathlib.Path(__file__).parents[1] / "samples" / "raw" / "coco" / FILE).read_text()


def _without_crowds(values):
    values["annotations"] = [e for e in values["annotations"] if not e["iscrowd"]]


def _records(data_dir) -> list[bytes]:
    path = data_dir / "coco" / "train_0000_wmeta.tfrecord"
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


def person(**changes) -> Annotated:
    keypoints = np.array([[10.0 + 4 * i, 20 + 5 * i, 2] for i in range(17)])
    return Annotated(**{"keypoints": keypoints, "segmentation": None, "box": None, **changes})


@pytest.mark.parametrize(
    ("changes", "sides"),
    [
        ({"segmentation": [[0.0, 0.0, 30.0, 0.0, 30.0, 20.0, 0.0, 20.0]], "box": (0, 0, 9, 9)},
         (29, 19)),
        ({"box": (5.0, 5.0, 70.0, 90.5)}, (70, 90.5)),
        ({"segmentation": [], "box": (5.0, 5.0, 70.0, 90.5)}, (70, 90.5)),
        ({}, (64, 80)),
    ],
    ids=["mask", "box", "empty mask", "keypoints"],
)  # fmt: skip
def test_the_size_is_that_of_the_mask_else_of_the_box_else_of_the_keypoints(changes, sides):
    source = coco.Source(pathlib.Path("a.json"), pathlib.Path("pictures"), is_own=True)
    item = Item("a.jpg", 100, 100, ())
    assert tuple(coco._sides(person(**changes), item, source, "a.jpg")) == sides


def test_a_mask_whose_picture_has_no_size_in_the_file_takes_that_of_the_picture(
    own, converted, tmp_path, settings
):
    def change(values):
        for image in values["images"]:
            del image["height"], image["width"]

    convert(settings(tmp_path / "out", "coco", **own(change)))
    assert shard(tmp_path / "out") == shard(converted)


@pytest.mark.parametrize("form", ["floats", "nested", "null", "named", "other id", "file mark"])
def test_other_spellings_of_the_same_give_the_same_records(
    own, converted, tmp_path, settings, form
):
    def change(values):
        for entry in values["annotations"]:
            points = np.reshape(entry["keypoints"], (17, 3))
            if form == "floats":
                entry["keypoints"] = points.astype(float).ravel().tolist()
            elif form == "nested":
                entry["keypoints"] = points.tolist()
            elif form == "null":
                rows = [[None] * 3 if v == 0 else [int(x), int(y), int(v)] for x, y, v in points]
                entry["keypoints"] = sum(rows, [])
            elif form == "other id":
                entry["category_id"] = 7
        category = values["categories"][0]
        if form == "named":
            category["keypoints"] = [n.replace("_", " ").title() for n in joints.COCO.names]
        elif form == "other id":
            category.update(id=7, name="Person")
            values["categories"].append({"id": 1, "name": "bicycle"})

    flags = own(change)
    if form == "file mark":
        path = pathlib.Path(flags["coco_annotations"])
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    convert(settings(tmp_path / "out", "coco", **flags))
    assert sorted(_records(tmp_path / "out")) == sorted(_records(converted))


@pytest.mark.parametrize(
    "path", ["{}", "sub/folder/{}", "pictures/{}", "/home/other/data/pictures/{}",
             "C:\\data\\pictures\\{}", "sub\\folder\\{}", "whole"],
)  # fmt: skip
def test_pictures_are_found_by_whatever_path_names_them(own, tmp_path, settings, path):
    def change(values):
        for image in values["images"]:
            name = image["file_name"]
            whole = f"{tmp_path}/pictures/{name}"
            image["file_name"] = whole if path == "whole" else path.format(name)

    flags = own(change)
    if path.startswith("sub"):
        (tmp_path / "pictures").rename(tmp_path / "away")
        (tmp_path / "pictures" / "sub").mkdir(parents=True)
        (tmp_path / "away").rename(tmp_path / "pictures" / "sub" / "folder")
    assert convert(settings(tmp_path / "out", "coco", **flags)).examples == {"coco/train": 15}


def test_pictures_may_be_png(own, tmp_path, settings):
    flags = own(lambda values: [i.update(file_name=i["file_name"][:-3] + "png")
                                for i in values["images"]])  # fmt: skip
    for path in (tmp_path / "pictures").glob("*.jpg"):
        image = tf.io.decode_jpeg(path.read_bytes())
        path.with_suffix(".png").write_bytes(tf.io.encode_png(image).numpy())
        path.unlink()
    assert convert(settings(tmp_path / "out", "coco", **flags)).examples == {"coco/train": 15}


BROKEN = {
    "unknown picture": ({"image_id": 123456}, "person without a picture"),
    "no picture": ({"image_id": None}, "person without a picture"),
    "a list as id": ({"image_id": [1]}, "person without a picture"),
    "fifty numbers": ({"keypoints": [1, 2, 2] * 16 + [1, 2]}, "17 times x, y, visibility"),
    "words": ({"keypoints": ["left", 2, 2] * 17}, "17 times x, y, visibility"),
    "null": ({"keypoints": None}, "person without keypoints"),
    "none": ({"keypoints": []}, "person without keypoints"),
    "zeros": ({"keypoints": [0] * 51, "num_keypoints": 12}, "person without keypoints"),
    "scores": ({"keypoints": [10, 20, 0.87] * 17}, "visibility is not 0, 1 or 2"),
    "no dictionary": (None, "entry is no object"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_entry_is_counted_with_its_reason_and_costs_only_itself(
    own, tmp_path, settings, caplog, name
):
    changes, reason = BROKEN[name]

    def change(values):
        whole = dict(values["annotations"][0])
        values["annotations"].append(None if changes is None else {**whole, "id": 99, **changes})

    made = convert(settings(tmp_path / "out", "coco", **own(change)))
    assert made.examples == {"coco/train": 15}
    assert any(reason in key for key in skipped(tmp_path / "out"))
    if "without keypoints" not in reason:
        assert reason in caplog.text


def test_absurd_numbers_are_faults_of_their_person(own, tmp_path, settings):
    def change(values):
        first, second = (dict(values["annotations"][0]) for _ in range(2))
        first["keypoints"] = [float("nan"), 5, 2] * 17
        second["segmentation"] = [[0, 0, 1e9, 0, 1e9, 1e9]]
        values["annotations"] += [first, second]

    flags = own(change)
    made = convert(settings(tmp_path / "out", "coco", max_skipped=0.5, **flags))
    assert made.examples == {"coco/train": 15}
    assert skipped(tmp_path / "out").items() >= {"keypoints absurd": 1, "mask damaged": 1}.items()


def rename(names):
    return lambda values: values["categories"][0].update(keypoints=names)


REFUSED = {
    "other number": (
        lambda values: [e.update(keypoints=[1, 2, 2] * 21) for e in values["annotations"]],
        "people have 21 keypoints each, but COCO's 17 in their order are needed: nose, left_eye",
    ),
    "pairs": (
        lambda values: [e.update(keypoints=[1, 2] * 17) for e in values["annotations"]],
        "people have 34 numbers each, but COCO's 17",
    ),
    "other names": (rename(["a", "b"]), "describes 2 keypoints, but COCO's 17"),
    "other order": (
        rename(["Nose", "Right Eye", *joints.COCO.names[2:]]),
        "keypoint 1 is right_eye, which is number 2 of COCO's; COCO's 17",
    ),
    "no person": (
        lambda v: v.update(categories=[{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]),
        "none of its categories is named `person`; there are dog, cat",
    ),
    "no pictures": (lambda values: values.pop("images"), "there is no list `images`"),
    "no people": (lambda values: values.pop("annotations"), "there is no list `annotations`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_annotation_of_17_keypoints_is_refused_in_a_sentence(
    own, tmp_path, settings, name
):
    change, message = REFUSED[name]
    with pytest.raises(ConversionError, match=f"my people.json.*{message}"):
        convert(settings(tmp_path / "out", "coco", **own(change)))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"[]", "it holds a list, as the results of a detector do"), (b"7", "there is no list"),
     (b"{", "JSONDecodeError"), (b"", "JSONDecodeError"), (b"\xff\xfe{", "UnicodeDecodeError"),
     (b"[" * 100_000, "RecursionError")],
    ids=["list", "number", "cut off", "empty", "no text", "deep"],
)  # fmt: skip
def test_another_file_is_refused_by_name(own, tmp_path, settings, content, message):
    flags = own()
    pathlib.Path(flags["coco_annotations"]).write_bytes(content)
    with pytest.raises(ConversionError, match=f"my people.json is not an annotation.*{message}"):
        convert(settings(tmp_path / "out", "coco", **flags))


@pytest.mark.parametrize("missing", ["coco_annotations", "coco_images"])
def test_one_flag_without_the_other_is_told(own, tmp_path, settings, missing):
    flags = {**own(), missing: None}
    with pytest.raises(ConversionError, match=f"--{missing} is not set, but --coco_"):
        convert(settings(tmp_path / "out", "coco", **flags))


def test_own_data_goes_before_coco(own, raw, tmp_path, settings, caplog):
    caplog.set_level("INFO", logger="absl")
    flags = {**own(), "coco_dir": str(raw / "coco")}
    convert(settings(tmp_path / "out", "coco", **flags))
    assert "own data is taken" in caplog.text and "my people.json" in caplog.text


@pytest.mark.parametrize("place", ["train2017", "images/train2017"])
@pytest.mark.parametrize("archive", ["", "annotations_trainval2017"])
def test_coco_2017_is_taken_where_2014_is_absent(
    raw, converted, tmp_path, settings, caplog, place, archive
):
    root = tmp_path / "coco"
    annotations = root / archive / "annotations"
    annotations.mkdir(parents=True)
    shutil.copy(raw / "coco" / FILE, annotations / "person_keypoints_train2017.json")
    shutil.copytree(raw / "coco" / "images" / "train2014", root / place)
    caplog.set_level("INFO", logger="absl")
    convert(settings(tmp_path / "out", "coco", coco_dir=str(root)))
    assert shard(tmp_path / "out") == shard(converted)
    assert "COCO 2017 is taken; COCO 2014 is not there" in caplog.text
    about = manifest.load(tmp_path / "out" / "coco" / "train.manifest.json").settings
    assert about["release"] == 2017

"""Boxes from flags and files: the original's rule, every dialect, and what is wrong named."""

import json
import pathlib

import numpy as np
import pytest

from hmr_tf2.capture import box_files, boxes, command

PICTURE = np.zeros((100, 200, 3), np.uint8)


def openpose(*people, key="pose_keypoints_2d"):
    return {"version": 1.3, "people": [{key: np.ravel(points).tolist()} for points in people]}


def person(rng, num_joints=25, confidence=0.9):
    points = np.full((num_joints, 3), confidence)
    points[:, :2] = rng.uniform(10, 90, (num_joints, 2))
    points[3, 2], points[3, :2] = 0.1, 1000  # not seen, and far out
    return points


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def originals_rule(points):
    """akanazawa/hmr src/util/openpose.py, get_bbox: centre, and the diagonal that becomes 150."""
    seen = points[points[:, 2] > 0.2, :2]
    low, high = seen.min(axis=0), seen.max(axis=0)
    return (low + high) / 2, np.linalg.norm(high - low)


@pytest.mark.parametrize("key", box_files.OPENPOSE_KEYS)
@pytest.mark.parametrize("num_joints", [18, 25])
def test_openpose_boxes_follow_the_originals_rule(rng, tmp_path, key, num_joints):
    points = person(rng, num_joints)
    found = box_files.read_openpose(write(tmp_path / "a.json", openpose(points, key=key)))
    centre, diagonal = originals_rule(points)
    np.testing.assert_allclose(found.boxes[0, :2] + found.boxes[0, 2:] / 2, centre)
    assert np.linalg.norm(found.boxes[0, 2:]) == pytest.approx(diagonal)


def test_people_are_ordered_by_the_confidence_of_what_is_seen(rng, tmp_path):
    unsure, sure = person(rng, confidence=0.4), person(rng, confidence=0.8)
    found = box_files.read_openpose(write(tmp_path / "a.json", openpose(unsure, sure)))
    np.testing.assert_allclose(found.scores, [0.8, 0.4])
    np.testing.assert_allclose(np.linalg.norm(found.boxes[0, 2:]), originals_rule(sure)[1])


def test_people_without_visible_keypoints_are_passed_over(rng, tmp_path):
    hidden = person(rng, confidence=0.1)
    found = box_files.read_openpose(write(tmp_path / "a.json", openpose(hidden, person(rng))))
    assert len(found.boxes) == 1


@pytest.mark.parametrize(
    "content, reason",
    [
        ("", "is not a JSON file, or is empty or cut off"),
        ('{"people": [{"pose', "is not a JSON file, or is empty or cut off"),
        ({"people": []}, "has no person with keypoints of a confidence over 0.2"),
        ({"people": [{"face": []}]}, "person 0 has neither pose_keypoints_2d nor pose_keypoints"),
        ({"people": [{"pose_keypoints": [1, 2, 3]}]}, "person 0 has no two keypoints"),
        ({"people": [{"pose_keypoints": [1] * 7}]}, "confidence .* of each joint.* got 7 numbers"),
        ({"people": [{"pose_keypoints": "x"}]}, "must be a list of numbers"),
        ({"people": [{"pose_keypoints": [float("nan")] * 54}]}, "person 0 has no two keypoints"),
        ({"people": [3]}, "person 0 has neither"),
        ({"people": 3}, "has no list 'people'"),
    ],
)
def test_what_is_wrong_with_a_file_of_openpose_is_named(tmp_path, content, reason):
    with pytest.raises(ValueError, match=f"a.json.*{reason}"):
        box_files.read_openpose(write(tmp_path / "a.json", content))


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ValueError, match="a.json is not a JSON file"):
        box_files.read_boxes(tmp_path / "a.json", 0.3)


def test_a_folder_has_a_file_a_picture(rng, tmp_path):
    first, second = person(rng), person(rng)
    write(tmp_path / "a_keypoints.json", openpose(first))
    write(tmp_path / "b.json", openpose(second))
    source = box_files.read_boxes(tmp_path, 0.3)
    for name, points in (("a.jpg", first), ("b.png", second)):
        found = source.find(pathlib.Path("in") / name, PICTURE)
        assert np.linalg.norm(found.boxes[0, 2:]) == pytest.approx(originals_rule(points)[1])
    with pytest.raises(FileNotFoundError, match="c.jpg has no keypoints: .*c_keypoints.json"):
        source.find(pathlib.Path("c.jpg"), PICTURE)


@pytest.mark.parametrize(
    "names",
    [
        ["film_000000000000_keypoints.json", "film_000000000002_keypoints.json"],
        ["f0.json", "f1.json"],
    ],
)
def test_a_folder_has_a_file_a_frame(rng, tmp_path, names):
    people = [person(rng), person(rng)]
    for name, points in zip(names, people, strict=True):
        write(tmp_path / name, openpose(points))
    source = box_files.read_boxes(tmp_path, 0.3)
    second = 2 if "film" in names[0] else 1
    for frame, points in ((0, people[0]), (second, people[1])):
        found = source.find(pathlib.Path("film.mp4"), None, frame)
        assert np.linalg.norm(found.boxes[0, 2:]) == pytest.approx(originals_rule(points)[1])
    assert len(source.find(pathlib.Path("film.mp4"), None, 9).boxes) == 0


def test_a_folder_without_files_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no .json file"):
        box_files.read_boxes(tmp_path, 0.3)


@pytest.mark.parametrize(
    "entry, name",
    [
        ({"image_id": 139}, "COCO_val2014_000000000139.jpg"),
        ({"image_id": "a"}, "a.jpg"),
        ({"image_id": "a.jpg"}, "a.jpg"),
        ({"file_name": "a.jpg"}, "a.jpg"),
    ],
)
def test_detections_find_their_picture(tmp_path, entry, name):
    better = {"bbox": [1, 2, 30, 40], "score": 0.9, "category_id": 1}
    content = [
        {**entry, "bbox": [5, 6, 7, 8], "score": 0.5},
        {**entry, **better},
        {**entry, **better, "score": 0.1},
        {**entry, **better, "category_id": 18},
        {**better, "image_id": "other"},
    ]
    source = box_files.read_boxes(write(tmp_path / "found.json", content), 0.3)
    found = source.find(pathlib.Path("in") / name, PICTURE)
    np.testing.assert_array_equal(found.boxes, [[1, 2, 30, 40], [5, 6, 7, 8]])
    np.testing.assert_array_equal(found.scores, [0.9, 0.5])
    with pytest.raises(ValueError, match="none.jpg: .*found.json has nobody for it"):
        source.find(pathlib.Path("none.jpg"), PICTURE)


def test_detections_of_a_frame_have_its_number(tmp_path):
    content = [{"image_id": 3, "bbox": [1, 2, 3, 4], "score": 1}]
    source = box_files.read_boxes(write(tmp_path / "found.json", content), 0.3)
    assert [len(source.find(pathlib.Path("film.mp4"), None, k).boxes) for k in (2, 3)] == [0, 1]


@pytest.mark.parametrize(
    "entry",
    [
        {},
        7,
        {"image_id": 1, "bbox": [1, 2, 3]},
        {"image_id": 1, "bbox": [1, 2, 3, None]},
        {"image_id": 1, "bbox": "abcd"},
        {"image_id": 1, "bbox": [1, 2, 3, 4], "score": "high"},
        {"bbox": [1, 2, 3, 4]},
    ],
)
def test_a_detection_that_is_none_is_named(tmp_path, entry):
    with pytest.raises(ValueError, match="found.json: entry 0 must have"):
        box_files.read_boxes(write(tmp_path / "found.json", [entry]), 0.3)


def test_a_file_of_neither_kind_is_named(tmp_path):
    with pytest.raises(ValueError, match="neither an OpenPose file .* nor a list of detections"):
        box_files.read_boxes(write(tmp_path / "a.json", {"boxes": []}), 0.3)


def test_tracks_are_sorted_with_their_boxes():
    found = boxes.Boxes.of([[1, 2, 3, 4], [5, 6, 7, 8]], [0.2, 0.9], [3, -1])
    np.testing.assert_array_equal(found.boxes[:, 0], [5, 1])
    assert found.tracks.tolist() == [-1, 3] and found.tracks.dtype == np.int64
    assert boxes.Boxes.of([], []).tracks is None


def test_boxes_are_parsed():
    found = boxes.parse_boxes("1,2,3.5,4;-5,6,7,8")
    np.testing.assert_array_equal(found.boxes, [[1, 2, 3.5, 4], [-5, 6, 7, 8]])


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "1,2,3,4,5", "1,2,nan,4", "1;2", ""])
def test_a_box_of_another_form_is_refused(text):
    with pytest.raises(ValueError, match=f"--bbox={text} must be x,y,width,height"):
        boxes.parse_boxes(text)


def test_overlap_is_intersection_over_union(rng):
    first, second = rng.uniform(1, 40, (2, 5, 4))
    got = boxes.overlap(first, second)
    grid = np.arange(0, 90, 0.5) + 0.25
    for p in range(5):
        for q in range(5):
            covers = [
                np.outer((grid > y) & (grid < y + h), (grid > x) & (grid < x + w))
                for x, y, w, h in (first[p], second[q])
            ]
            expected = (covers[0] & covers[1]).sum() / (covers[0] | covers[1]).sum()
            assert got[p, q] == pytest.approx(expected, abs=0.03)
    np.testing.assert_allclose(np.diag(boxes.overlap(first, first)), 1)


def test_one_file_of_another_name_is_taken_with_a_warning(tmp_path, caplog):
    path = tmp_path / "a_000000000003_keypoints.json"
    content = {"people": [{"pose_keypoints_2d": [10, 20, 0.9, 40, 90, 0.8]}]}
    path.write_text(json.dumps(content))
    settings = command.CaptureSettings(json_path=str(path))
    source = command.box_source(settings)
    command.check_for_one(settings, source, [pathlib.Path("in/a.mp4")])
    assert caplog.text == ""
    command.check_for_one(settings, source, [pathlib.Path("in/b.mp4")])
    assert "a_000000000003_keypoints.json is taken for in/b.mp4, though it is not" in caplog.text
    with pytest.raises(ValueError, match="is for one picture; --img_path means 2 files"):
        command.check_for_one(settings, source, [pathlib.Path("a.jpg"), pathlib.Path("b.jpg")])

"""The files of detectors: the same people in each program's form are the same boxes."""

import json
import pathlib

import numpy as np
import pytest

from hmr_tf2.capture import box_files

# Two people: keypoints (x, y) of which the outermost are the box, score and track.
LEFT = {"points": [[10, 20], [40, 30], [25, 120]], "box": [10, 20, 30, 100], "score": 0.9}
RIGHT = {"points": [[90, 15], [140, 60], [100, 135]], "box": [90, 15, 50, 120], "score": 0.6}
PEOPLE = ((LEFT, 7), (RIGHT, 3))


def corners(box):
    x, y, width, height = box
    return [x, y, x + width, y + height]


def triples(person, confidence=None):
    confidence = person["score"] if confidence is None else confidence
    return [number for point in person["points"] for number in (*point, confidence)]


def pairs(person):
    return [number for point in person["points"] for number in point]


def named(corner_box, names=("x1", "y1", "x2", "y2")):
    return dict(zip(names, corner_box, strict=True))


def openpose(key="pose_keypoints_2d", group="people", keypoints=triples):
    return {group: [{key: keypoints(p), "person_id": [t]} for p, t in PEOPLE]}


def mmpose(box=lambda box: [corners(box)]):
    return [
        {
            "keypoints": p["points"],
            "keypoint_scores": [p["score"]] * 3,
            "bbox": box(p["box"]),
            "bbox_score": p["score"],
            "track_id": t,
        }
        for p, t in PEOPLE
    ]


def ultralytics():
    return [
        {
            "name": "person",
            "class": 0,
            "confidence": p["score"],
            "box": named(corners(p["box"])),
            "track_id": t,
            "keypoints": {
                "x": [x for x, _ in p["points"]],
                "y": [y for _, y in p["points"]],
                "visible": [1.0] * 3,
            },
        }
        for p, t in PEOPLE
    ] + [
        {
            "name": "car",
            "class": 2,
            "confidence": 0.9,
            "box": named([1, 2, 3, 4]),
        }
    ]


def flat(**parts):
    """A list of detections of which `parts` make the entries."""
    return [{name: make(p, t) for name, make in parts.items()} for p, t in PEOPLE]


def image_id(name):
    return lambda p, t: name


def box(p, t):
    return p["box"]


def score(p, t):
    return p["score"]


def track(p, t):
    return t


def is_person(p, t):
    return 1


def coco(file_name="a.jpg", person_id=1, **more):
    annotations = [
        {
            "id": k,
            "image_id": 5,
            "category_id": person_id,
            "bbox": p["box"],
            "iscrowd": 0,
            "score": p["score"],
            "track_id": t,
        }
        for k, (p, t) in enumerate(PEOPLE)
    ]
    annotations += [
        {"id": 9, "image_id": 5, "category_id": person_id, "bbox": [0, 0, 9, 9], "iscrowd": 1},
        {"id": 8, "image_id": 5, "category_id": person_id + 1, "bbox": [0, 0, 9, 9]},
    ]
    return {
        "images": [{"id": 5, "file_name": file_name, **more}, {"id": 6, "file_name": "z.jpg"}],
        "annotations": annotations,
        "categories": [
            {"id": person_id + 1, "name": "bicycle"},
            {"id": person_id, "name": "person"},
        ],
    }


ALPHAPOSE = flat(
    image_id=image_id("a.jpg"),
    category_id=is_person,
    keypoints=lambda p, t: triples(p),
    score=score,
    box=box,
    idx=track,
)
KEYPOINT_RESULTS = [
    {name: value for name, value in entry.items() if name != "box"} for entry in ALPHAPOSE
]
COCO_RESULTS = flat(image_id=image_id("a.jpg"), bbox=box, score=score, track_id=track)
# name -> (content, whether it has tracks); each is of the picture a.jpg.
FORMS = {
    "OpenPose": (openpose(), True),
    "OpenPose, old": (openpose("pose_keypoints"), True),
    "AlphaPose": (ALPHAPOSE, True),
    "AlphaPose, lists as idx": ([{**e, "idx": [[e["idx"]]]} for e in ALPHAPOSE], True),
    "AlphaPose, open": ({"a.jpg": {"version": 0.1, **openpose()}}, True),
    "AlphaPose, cmu": ({"a.jpg": openpose("joints", "bodies"), "b.jpg": {"bodies": []}}, True),
    "AlphaPose, cmu, one picture": (openpose("joints", "bodies"), True),
    "PoseFlow": ({"a.jpg": KEYPOINT_RESULTS}, True),
    "COCO": (COCO_RESULTS, True),
    "COCO, keypoints": (KEYPOINT_RESULTS, True),
    "COCO, keypoints, null box": ([{**e, "bbox": None} for e in KEYPOINT_RESULTS], True),
    "COCO, annotations": (coco(), True),
    "COCO, annotations, 0 is person": (coco(person_id=0), True),
    "COCO, annotations, folders": (coco("images/val/a.jpg"), True),
    "PoseTrack": (coco(vid_id="000342", frame_id=1), True),
    "MMPose": ([mmpose()], True),
    "MMPose, one picture": (mmpose(), True),
    "MMPose, flat boxes": (mmpose(corners), True),
    "MMPose, 0.x": (mmpose(lambda box: [*corners(box), 1.0]), True),
    "MMPose, demo": ({"meta_info": {"dataset_name": "coco"}, "instance_info": mmpose()}, True),
    "MMPose, inferencer": ({"predictions": [mmpose()], "visualization": []}, True),
    "Ultralytics": (ultralytics(), True),
    "Ultralytics, validation": (
        [{**e, "category_id": 0} for e in COCO_RESULTS]
        + [{"image_id": "a", "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.8}],
        True,
    ),
    "YOLOv5": (
        [
            {
                **named(corners(p["box"]), ("xmin", "ymin", "xmax", "ymax")),
                "confidence": p["score"],
                "class": 0,
                "name": "person",
            }
            for p, t in PEOPLE
        ],
        False,
    ),
    "SAHI": ([{**e, "category_id": 0, "category_name": "person"} for e in COCO_RESULTS], True),
}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def find(path, name="in/a.jpg", frame=None, min_score=0.3):
    return box_files.read_boxes(path, min_score).find(pathlib.Path(name), None, frame)


def check(found, has_tracks=True):
    np.testing.assert_array_equal(found.boxes, [LEFT["box"], RIGHT["box"]])
    np.testing.assert_allclose(found.scores, [0.9, 0.6])
    assert (found.tracks is None) == (not has_tracks)
    if has_tracks:
        assert found.tracks.tolist() == [7, 3] and found.tracks.dtype == np.int64


@pytest.mark.parametrize("form", FORMS)
def test_the_same_people_are_the_same_boxes_in_every_form(tmp_path, form):
    content, has_tracks = FORMS[form]
    check(find(write(tmp_path / "found.json", content)), has_tracks)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_may_be_a_file_of_a_folder(tmp_path, form):
    content, has_tracks = FORMS[form]
    write(tmp_path / "a.json", content)
    check(find(tmp_path), has_tracks)


@pytest.mark.parametrize("text", ["\ufeff%s", " \n%s\n\n"])
def test_what_stands_around_the_json_does_not_matter(tmp_path, text):
    check(find(write(tmp_path / "found.json", text % json.dumps(COCO_RESULTS))))


def test_one_object_a_line_is_a_list(tmp_path):
    lines = "\n".join(map(json.dumps, COCO_RESULTS))
    check(find(write(tmp_path / "found.json", lines)))


def test_a_detection_alone_is_a_list_of_one(tmp_path):
    found = find(write(tmp_path / "found.json", COCO_RESULTS[0]))
    np.testing.assert_array_equal(found.boxes, [LEFT["box"]])


@pytest.mark.parametrize("num_joints", [2, 4, 12, 14, 15, 17, 18, 19, 23, 25, 26, 133, 135, 136])
@pytest.mark.parametrize("layout", ["triples", "pairs", "lists of triples", "lists of pairs"])
def test_any_number_of_keypoints_makes_a_box(rng, tmp_path, num_joints, layout):
    points = np.column_stack([rng.uniform(10, 90, (num_joints, 2)), np.full(num_joints, 0.5)])
    points[1:-1:5] = 0  # not seen
    if "pairs" in layout:
        points = points[:, :2]
    seen = points[points[:, 0] > 0, :2]
    content = points.tolist() if "lists" in layout else points.ravel().tolist()
    found = find(write(tmp_path / "a.json", {"people": [{"pose_keypoints_2d": content}]}))
    np.testing.assert_allclose(found.boxes[0, :2], seen.min(axis=0))
    np.testing.assert_allclose(found.boxes[0, 2:], np.ptp(seen, axis=0))
    assert found.scores[0] == pytest.approx(1.0 if "pairs" in layout else 0.5)


@pytest.mark.parametrize("confidence", [2, 5.9])
def test_confidences_above_one_are_no_coordinates(tmp_path, confidence):
    # COCO's annotations have 2, AlphaPose up to 6; six numbers could be three pairs as well.
    points = [10, 20, confidence, 40, 120, confidence]
    found = find(write(tmp_path / "a.json", {"people": [{"pose_keypoints_2d": points}]}))
    np.testing.assert_array_equal(found.boxes, [[10, 20, 30, 100]])


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf"), -float("inf"), 10**400])
@pytest.mark.parametrize("place", range(3))
def test_a_keypoint_with_a_number_that_is_none_is_not_seen(tmp_path, missing, place):
    points = triples(LEFT) + [500, 500, 0.9]
    points[9 + place] = missing
    found = find(write(tmp_path / "a.json", {"people": [{"pose_keypoints_2d": points}]}))
    np.testing.assert_array_equal(found.boxes, [LEFT["box"]])


NOBODYS = [
    {"pose_keypoints_2d": []},
    {"pose_keypoints_2d": None},
    {"pose_keypoints_2d": [[]]},
    {"pose_keypoints_2d": [0] * 75},
    {"pose_keypoints_2d": [None] * 75},
    {"pose_keypoints_2d": [5, 6, 0.9]},
    {"hand_left_keypoints_2d": [1, 2, 0.9] * 21},
    {},
]


@pytest.mark.parametrize("nobody", NOBODYS)
@pytest.mark.parametrize("comes_first", [True, False])
def test_a_person_without_keypoints_is_passed_over(tmp_path, caplog, nobody, comes_first):
    people = openpose()["people"]
    people.insert(0 if comes_first else 2, nobody)
    check(find(write(tmp_path / "a.json", {"people": people})))
    number = 0 if comes_first else 2
    assert f"a.json: 1 of its people are passed over. The first: person {number} has " in (
        caplog.text
    )


@pytest.mark.parametrize("nobody", NOBODYS)
def test_a_file_with_nobody_else_says_why(tmp_path, nobody):
    write(tmp_path / "a_keypoints.json", {"people": [nobody, nobody]})
    for path in (tmp_path, tmp_path / "a_keypoints.json"):
        with pytest.raises(ValueError, match="a_keypoints.json has no person .*: person 0 has "):
            find(path)


def test_people_who_are_passed_over_in_a_video_are_named_once(tmp_path, caplog):
    for k in range(5):
        people = [{"pose_keypoints_2d": []}, *(openpose()["people"] if k % 2 else [])]
        write(tmp_path / f"b_{k:012d}_keypoints.json", {"people": people})
    source = box_files.read_boxes(tmp_path, 0.3)
    found = [source.find(pathlib.Path("b.mp4"), None, k) for k in range(5)]
    assert [len(boxes.boxes) for boxes in found] == [0, 2, 0, 2, 0]
    assert caplog.text.count("passed over") == 2  # one who, and that no other is
    assert "b_000000000000_keypoints.json: 1 of its people" in caplog.text


@pytest.mark.parametrize(
    "keypoints, reason",
    [
        ([1, 2, 3, 4, 5], "must be x, y, confidence .* got 5 numbers"),
        (list(range(100, 107)), "must be x, y, confidence .* got 7 numbers"),
        ("1, 2, 3", "must be a list of numbers"),
        (["1", "2", "3"], "must be a list of numbers"),
        ([1, 2, True], "must be a list of numbers"),
        (7, "must be a list of numbers"),
        ({}, "must be a list of numbers"),
        ({"x": [1, 2], "y": [1]}, "has 2 x, but 1 y"),
        ([[1, 2], [1, 2, 3]], "got 2 or 3 numbers"),
        ([[1, 2, 3, 4], [1, 2, 3, 4]], "got 4 numbers"),
        ([[1, 2], 3], "got 1 or 2 numbers"),
    ],
)
def test_keypoints_that_are_none_are_named(tmp_path, keypoints, reason):
    people = [*openpose()["people"], {"pose_keypoints_2d": keypoints}]
    write(tmp_path / "a.json", {"people": people})
    with pytest.raises(ValueError, match=f"a.json: person 2: pose_keypoints_2d .*{reason}"):
        find(tmp_path / "a.json")


def test_keypoints_and_boxes_in_shares_of_the_picture_are_refused(tmp_path):
    for content in (
        {"people": [{"pose_keypoints_2d": [0.1, 0.2, 0.9, 0.5, 0.8, 0.9]}]},
        [{"image_id": "a", "bbox": [0.1, 0.2, 0.3, 0.4]}],
    ):
        with pytest.raises(ValueError, match="a.json: all boxes lie within one pixel .* shares"):
            find(write(tmp_path / "a.json", content))


ENTRY = {"image_id": "a.jpg", "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.9}


def without(*names):
    return {name: value for name, value in ENTRY.items() if name not in names}


@pytest.mark.parametrize(
    "entry, reason",
    [
        (
            without("bbox"),
            "must have 'bbox' .x, y, width, height., 'box' or 'keypoints', and has ",
        ),
        ({**without("bbox"), "bndbox": 1}, "none of them, but 'bndbox'"),
        (without("image_id"), "must have 'image_id' or 'file_name', which say of what picture"),
        ({**ENTRY, "image_id": None}, "a name or number as 'image_id'; got null"),
        ({**ENTRY, "image_id": [1]}, r"a name or number as 'image_id'; got \[1\]"),
        ({**ENTRY, "bbox": [1, 2, 3]}, r"four numbers, in pixels, as 'bbox'; got \[1, 2, 3\]"),
        ({**ENTRY, "bbox": [1, 2, 3, None]}, "four numbers, in pixels, as 'bbox'"),
        ({**ENTRY, "bbox": [1, 2, 3, "4"]}, "four numbers, in pixels, as 'bbox'"),
        ({**ENTRY, "bbox": [1, 2, 3, float("nan")]}, "four numbers, in pixels, as 'bbox'"),
        ({**ENTRY, "bbox": [1, 2, 1e300, 4]}, "four numbers, in pixels, as 'bbox'"),
        ({**ENTRY, "bbox": [1, 2, 10**400, 4]}, "four numbers, in pixels, as 'bbox'"),
        ({**ENTRY, "bbox": [[1, 2, 3, 4], [1, 2, 3, 4]]}, "four numbers, in pixels, as 'bbox'"),
        ({**ENTRY, "bbox": {"left": 1}}, "four numbers, in pixels, as 'bbox'"),
        ({**without("bbox"), "box": {"x1": 1, "y1": 2}}, "four numbers, in pixels, as 'box'"),
        ({**ENTRY, "score": None}, "a finite number as 'score'; got null"),
        ({**ENTRY, "score": "high"}, "a finite number as 'score'; got \"high\""),
        ({**ENTRY, "score": float("nan")}, "a finite number as 'score'; got NaN"),
        ({**without("score"), "confidence": []}, r"a finite number as 'confidence'; got \[\]"),
        ({**ENTRY, "category_id": [1]}, r"a number as 'category_id'; got \[1\]"),
        ({**without("bbox"), "keypoints": [1] * 7}, "keypoints must be x, y, .* got 7 numbers"),
        (
            {**without("bbox"), "keypoints": [[1, 2], [3, 4]], "keypoint_scores": [1]},
            "keypoints has 2 points, but 1 confidences",
        ),
        ([1, 2], "must have a 'bbox' and more"),
        (None, "must have a 'bbox' and more; got null"),
    ],
)
def test_what_a_detection_lacks_is_named(tmp_path, entry, reason):
    path = write(tmp_path / "found.json", [ENTRY, ENTRY, ENTRY, entry])
    with pytest.raises(ValueError, match=f"found.json: entry 3.*{reason}") as caught:
        find(path)
    assert ("score" in str(caught.value)) == ("score" in reason)


@pytest.mark.parametrize(
    "content, reason",
    [
        ([], "is an empty list: its detector found nobody anywhere"),
        ([[]], "has no person"),
        ({}, "is neither an OpenPose file"),
        (7, "is neither an OpenPose file"),
        ("null", "is neither an OpenPose file"),
        ({"a.jpg": 7}, "is neither an OpenPose file"),
        ({"shapes": [], "imagePath": "a.jpg"}, "is neither an OpenPose file"),
        (
            {**coco(), "categories": [{"id": 1, "name": "pedestrian"}]},
            "named 'person'.*pedestrian",
        ),
        ({**coco(), "categories": 7}, "'categories' must be a list of objects"),
        ({**coco(), "images": 7}, "'images' must be a list"),
        ({**coco(), "images": [{"file_name": "a.jpg"}]}, "image 0 must have an 'id'"),
        ({**coco(), "images": [{"id": 1}]}, "annotation 0 is of the image '5', which 'images'"),
        ([{**ultralytics()[0], "name": "boat"}], "nothing in it is named 'person'.*boat"),
        ([{"frame_id": -1, "instances": []}], "a number from 0 as 'frame_id'; got -1"),
        ([{"frame_id": 0, "instances": 7}], "no list 'instances'"),
        ("[" * 100_000 + "]" * 100_000, "is not a JSON file.*nested too deeply"),
        ('{"a": 1}\n{"b"', "is not a JSON file"),
        ("[1" + "0" * 5000 + "]", "is not a JSON file.*digits"),
    ],
)
def test_what_a_file_lacks_is_named(tmp_path, content, reason):
    with pytest.raises(ValueError, match=f"(?s)found.json.*{reason}"):
        find(write(tmp_path / "found.json", content))


def test_boxes_without_a_size_are_passed_over(tmp_path, caplog):
    content = [*COCO_RESULTS, {**ENTRY, "bbox": [9, 9, 0, 5]}, {**ENTRY, "bbox": [9, 9, 5, -5]}]
    check(find(write(tmp_path / "found.json", content)))
    assert "2 of its people are passed over. The first: entry 2 has a box without any width" in (
        caplog.text
    )


@pytest.mark.parametrize("idx", [None, "x", 2.5, -3, [1, 2], {}, 1e30, float("nan"), True])
def test_a_track_that_is_none_is_minus_one(tmp_path, idx):
    content = [COCO_RESULTS[0], {**COCO_RESULTS[1], "track_id": idx}]
    found = find(write(tmp_path / "found.json", content))
    assert found.tracks.tolist() == [7, -1]


def test_the_guessed_category_of_people_is_logged(tmp_path, caplog):
    caplog.set_level("INFO", logger="absl")
    for first in (0, 1):
        content = [{**ENTRY, "category_id": first + k, "bbox": [k, 2, 3, 40]} for k in range(3)]
        found = find(write(tmp_path / "found.json", content))
        np.testing.assert_array_equal(found.boxes, [[0, 2, 3, 40]])
        assert f"found.json: category {first} is taken for people" in caplog.text


def test_a_score_that_is_too_low_is_left_out_in_every_form(tmp_path):
    for name in ("AlphaPose", "COCO", "COCO, annotations", "MMPose", "Ultralytics", "PoseFlow"):
        found = find(write(tmp_path / "found.json", FORMS[name][0]), min_score=0.7)
        np.testing.assert_array_equal(found.boxes, [LEFT["box"]])


def test_damaged_files_are_named_whatever_the_damage(rng, monkeypatch):
    """Values are replaced, keys renamed and text cut; nothing but a sentence may come of it."""
    odd = [
        None,
        [],
        {},
        "",
        "a.jpg",
        -1,
        0,
        1e308,
        10**400,
        True,
        [[]],
        [1, 2],
        {"x1": 1},
        "\ud800",
    ]

    def mutated(value):
        if rng.random() < 0.06:
            return odd[rng.integers(len(odd))]
        if isinstance(value, list):
            kept = [mutated(part) for part in value if rng.random() > 0.03]
            return kept + kept[:1] * int(rng.random() < 0.03)
        if isinstance(value, dict):
            return {
                key if rng.random() > 0.03 else "image_id": mutated(part)
                for key, part in value.items()
                if rng.random() > 0.03
            }
        return value

    path, outcomes = pathlib.Path("found.json"), {"read": 0, "refused": 0}
    monkeypatch.setattr(pathlib.Path, "read_bytes", lambda path: text.encode())
    for content, _ in FORMS.values():
        for _ in range(50):
            text = json.dumps(mutated(content))
            text = text if rng.random() > 0.05 else text[: rng.integers(len(text))]
            for name, frame in (("in/a.jpg", None), ("in/b.mp4", 3)):
                try:
                    found = find(path, name, frame)
                    assert np.isfinite(found.boxes).all() and np.isfinite(found.scores).all()
                    assert (found.boxes[:, 2:] > 0).all()
                    outcomes["read"] += 1
                except ValueError as error:
                    assert "found.json" in str(error)
                    outcomes["refused"] += 1
    assert min(outcomes.values()) > 300

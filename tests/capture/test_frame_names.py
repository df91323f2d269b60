"""Which frames of which video names mean; nothing of another video is taken in silence."""

import json
import pathlib

import numpy as np
import pytest

from hmr_tf2.capture import box_files, frame_names

VIDEO = pathlib.Path("in/b.mp4")


def people_at(x):
    """An OpenPose document with a person whose box begins at `x`."""
    return {"people": [{"pose_keypoints_2d": [x, 20, 0.9, x + 30, 120, 0.9]}]}


def folder_of(folder, *names):
    """The n-th file, from 0, has a person at x = 10 + n."""
    folder.mkdir(exist_ok=True)
    for n, name in enumerate(names):
        (folder / name).write_text(json.dumps(people_at(10 + n)))
    return box_files.read_boxes(folder, 0.3)


def file_of(path, keys, **document):
    """The n-th key, from 0, has a person at x = 10 + n."""
    entries = [
        {**(key if isinstance(key, dict) else {"image_id": key}), "bbox": [10 + n, 20, 30, 100]}
        for n, key in enumerate(keys)
    ]
    path.write_text(json.dumps({**document, "annotations": entries} if document else entries))
    return box_files.read_boxes(path, 0.3)


def seen(source, path=VIDEO, num_frames=13):
    """Frame -> the number of the name that it has."""
    found = {k: source.find(pathlib.Path(path), None, k).boxes for k in range(num_frames)}
    return {k: int(boxes[0, 0]) - 10 for k, boxes in found.items() if len(boxes)}


IN_ORDER = {0: 0, 1: 1, 2: 2}


@pytest.mark.parametrize(
    "names, expected",
    [
        (["1_keypoints.json", "2_keypoints.json", "10_keypoints.json"], IN_ORDER),
        (["1.json", "2.json", "10.json"], IN_ORDER),
        (
            ["frame_1_keypoints.json", "frame_2_keypoints.json", "frame_10_keypoints.json"],
            IN_ORDER,
        ),
        (["img8.json", "img9.json", "img10.json"], IN_ORDER),
        (["image-008.json", "image-9.json", "image-10.json"], IN_ORDER),
        (["Frame (8).json", "Frame (9).json", "Frame (10).json"], IN_ORDER),
        (["000000000000_keypoints.json", "000000000001_keypoints.json"], {0: 0, 1: 1}),
        (["1.json", "2.json", "4.json"], {0: 0, 1: 1, 3: 2}),
        (["0.json", "1.json", "2.json", "10.json"], {0: 0, 1: 1, 2: 2, 3: 3}),
        (["5.json"], {0: 0}),
        # The video's own name: the number is that of the frame.
        (["b_2_keypoints.json", "b_10_keypoints.json"], {2: 0, 10: 1}),
        (["b_000000000002_keypoints.json", "b_000000000003_keypoints.json"], {2: 0, 3: 1}),
        (["b-2.json", "b 10.json"], {2: 0, 10: 1}),
        (["b0002.json", "b_frame_0010.json"], {2: 0, 10: 1}),
        (["b.mp4_2.json"], {2: 0}),
        # Files of its own come before files of nobody and files of others.
        (["b_2.json", "0.json", "a_0.json"], {2: 0}),
        (["0.json", "1.json", "a_000000000000_keypoints.json"], {0: 0, 1: 1}),
    ],
)
def test_files_of_a_video_are_in_the_order_of_their_numbers(tmp_path, names, expected):
    assert seen(folder_of(tmp_path / "told", *names)) == expected


def test_the_order_of_files_that_name_no_video_is_logged(tmp_path, caplog):
    caplog.set_level("INFO", logger="absl")
    seen(folder_of(tmp_path / "told", "1.json", "2.json", "10.json"))
    assert (
        "told does not say of which video its frames are: 1 to 10 are taken as frames 0 to 2"
        in (caplog.text)
    )
    caplog.clear()
    seen(folder_of(tmp_path / "own", "b_1.json", "b_2.json"))
    assert caplog.text == ""


@pytest.mark.parametrize(
    "names",
    [
        ["a_000000000000_keypoints.json", "a_000000000001_keypoints.json"],
        ["a_0.json"],
        ["a_1_keypoints.json", "a_2_keypoints.json"],
        ["a0001.json"],
        ["bb_000000000000_keypoints.json"],
        ["b2_000000000000_keypoints.json"],
        ["b_cut_000000000000_keypoints.json"],
        ["2024-05-01_000000000000_keypoints.json"],
        ["1_000000000000_keypoints.json"],
        ["a.json"],
        ["a_keypoints.json"],
    ],
)
def test_files_of_another_video_are_refused(tmp_path, names):
    source = folder_of(tmp_path / "told", *names)
    with pytest.raises(ValueError, match="b.mp4: .*told has nothing for it") as caught:
        source.find(VIDEO, None, 0)
    stem = names[0].removesuffix(".json").removesuffix("_keypoints")
    assert repr(stem) in str(caught.value) and "begin with 'b'" in str(caught.value)


@pytest.mark.parametrize(
    "keys",
    [
        ["a/000000.jpg", "a/000001.jpg"],
        ["frames/a/000000.jpg"],
        ["a_000000.jpg", "a_000001.jpg"],
        ["a_000000000000"],
        ["a.jpg"],
        [{"file_name": "a/0.jpg"}],
    ],
)
def test_detections_of_another_video_are_refused(tmp_path, keys):
    source = file_of(tmp_path / "found.json", keys)
    with pytest.raises(ValueError, match="b.mp4: .*found.json has nothing for it. .* of 'a'"):
        source.find(VIDEO, None, 0)


def test_two_videos_do_not_share_frames_that_name_none(tmp_path):
    for source in (
        folder_of(tmp_path / "told", "0.json", "1.json"),
        file_of(tmp_path / "found.json", [0, 1]),
    ):
        assert seen(source, "in/a.mp4") == {0: 0, 1: 1}
        with pytest.raises(ValueError, match="b.mp4: .* does not say of which video.*in/a.mp4"):
            source.find(VIDEO, None, 0)
        assert seen(source, "in/a.mp4") == {0: 0, 1: 1}


def test_a_folder_may_have_the_frames_of_several_videos(tmp_path):
    source = folder_of(tmp_path / "told", "a_0.json", "b_1.json", "b_2.json", "a_10.json")
    assert seen(source, "in/a.mp4") == {0: 0, 10: 3}
    assert seen(source, "in/b.mp4") == {1: 1, 2: 2}


@pytest.mark.parametrize("names", [["1.json", "01.json"], ["b_1.json", "b_001_keypoints.json"]])
def test_two_files_for_a_frame_are_named(tmp_path, names):
    with pytest.raises(ValueError, match="told has both .*1' and .*1' for frame 1"):
        folder_of(tmp_path / "told", *names).find(VIDEO, None, 0)


@pytest.mark.parametrize(
    "keys, expected",
    [
        ([3, 11], {3: 0, 11: 1}),
        (["3", "11"], {3: 0, 11: 1}),
        ([3.0], {3: 0}),
        (["0.jpg", "1.jpg", "10.jpg"], {0: 0, 1: 1, 10: 2}),
        (["frame_0003.png"], {3: 0}),
        (["b/000003.jpg", "a/000004.jpg"], {3: 0}),
        (["b_000003.jpg", "a_000003.jpg", "b_11"], {3: 0, 11: 2}),
        (["images/val/b/3.jpg", "images\\val\\b\\4.jpg"], {3: 0, 4: 1}),
        (["b.mp4/3.jpg"], {3: 0}),
        ([{"file_name": "b_3.jpg", "image_id": 77}], {3: 0}),
        ([{"frame": 3}, {"frame_id": 4}], {3: 0, 4: 1}),
    ],
)
def test_detections_of_a_video_are_found_by_the_numbers_of_frames(tmp_path, keys, expected):
    assert seen(file_of(tmp_path / "found.json", keys)) == expected


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("name", ["%06d.jpg", "b/%06d.jpg", "b_%d.png"])
def test_a_list_of_all_images_tells_the_number_of_the_first(tmp_path, first, name):
    images = [{"id": 50 + k, "file_name": name % (first + k)} for k in range(4)]
    source = file_of(tmp_path / "found.json", [51, 53], images=images)
    assert seen(source) == {1: 0, 3: 1}


def instance(x):
    return {
        "keypoints": [[x, 20], [x + 30, 120]],
        "keypoint_scores": [0.9, 0.9],
        "bbox": [[x, 20, x + 30, 120]],
        "bbox_score": 0.8,
    }


MMPOSE_FRAMES = [[instance(10)], [], [instance(12)]]


@pytest.mark.parametrize(
    "content",
    [
        MMPOSE_FRAMES,
        [{"frame_id": k, "instances": found} for k, found in enumerate(MMPOSE_FRAMES)],
        [{"frame_id": k + 1, "instances": found} for k, found in enumerate(MMPOSE_FRAMES)],
        {
            "meta_info": {},
            "instance_info": [
                {"frame_id": k + 1, "instances": found} for k, found in enumerate(MMPOSE_FRAMES)
            ],
        },
        {"predictions": MMPOSE_FRAMES},
    ],
)
def test_mmposes_frames_are_counted_from_their_first(tmp_path, content):
    (tmp_path / "b.json").write_text(json.dumps(content))
    for path in (tmp_path / "b.json", tmp_path):  # MMPose writes one file a video to a folder
        assert seen(box_files.read_boxes(path, 0.3)) == {0: 0, 2: 2}
    with pytest.raises(ValueError, match="a_2.jpg: .* numbers the frames of a video"):
        box_files.read_boxes(tmp_path / "b.json", 0.3).find(pathlib.Path("a_2.jpg"), None)


def frames_folder(folder, *names):
    """Empty files: the source looks at the names of the pictures only."""
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return [folder / name for name in names]


def seen_in_folder(source, files):
    found = {k: source.find(file, None, k).boxes for k, file in enumerate(files)}
    return {k: int(boxes[0, 0]) - 10 for k, boxes in found.items() if len(boxes)}


@pytest.mark.parametrize(
    "told, expected",
    [
        # By the names of the pictures, of which one lacks a file.
        (["1_keypoints.json", "2.json", "4_keypoints.json"], {0: 0, 1: 1, 3: 2}),
        # By the number of the frame, as if the folder were a video of this name.
        (["film_000000000000_keypoints.json", "film_000000000003_keypoints.json"], {0: 0, 3: 1}),
        (["frame_11.json", "frame_12.json"], {0: 0, 1: 1}),
    ],
)
def test_files_of_a_folder_of_frames_have_its_pictures_names_or_numbers(tmp_path, told, expected):
    files = frames_folder(tmp_path / "film", "1.png", "2.png", "3.png", "4.png")
    assert seen_in_folder(folder_of(tmp_path / "told", *told), files) == expected


@pytest.mark.parametrize(
    "names, keys, expected",
    [
        (["1.png", "2.png", "3.png"], ["1.png", "3.png"], {0: 0, 2: 1}),
        (["1.png", "2.png", "3.png"], ["film/1.png", "other/3.png"], {0: 0}),
        (["001.png", "002.png", "003.png"], ["001", "003"], {0: 0, 2: 1}),
        # Numbers that are all names of pictures, and numbers that are not.
        (["001.png", "002.png", "003.png"], [1, 3], {0: 0, 2: 1}),
        (["001.png", "002.png", "003.png"], [0, 2], {0: 0, 2: 1}),
        (["f_001.png", "f_002.png", "f_003.png"], [1, 3], {0: 0, 2: 1}),
        (["f_001.png", "f_002.png", "f_003.png"], [0, 1], {0: 0, 1: 1}),
        (["f_001.png", "f_002.png", "f_003.png"], ["0.jpg", "1.jpg"], {0: 0, 1: 1}),
        (["f_001.png", "f_002.png", "f_003.png"], ["film_0", "film_2"], {0: 0, 2: 1}),
    ],
)
def test_detections_in_a_folder_of_frames_have_its_pictures_names_or_numbers(
    tmp_path, names, keys, expected
):
    files = frames_folder(tmp_path / "film", *names)
    assert seen_in_folder(file_of(tmp_path / "found.json", keys), files) == expected


def test_detections_of_another_folder_of_frames_are_refused(tmp_path):
    files = frames_folder(tmp_path / "film", "1.png", "2.png")
    source = file_of(tmp_path / "found.json", ["other/1.png", "other/2.png"])
    with pytest.raises(ValueError, match="film: .*found.json has nothing for it. .* of 'other'"):
        source.find(files[0], None, 0)


@pytest.mark.parametrize(
    "key, name",
    [
        ("val/COCO_val2014_000000000139.jpg", "in/COCO_val2014_000000000139.jpg"),
        ("cam1/0001.jpg", "in/cam1/0001.jpg"),
        ("images/0001.jpg", "in/0001.jpg"),
        ("./a.jpg", "a.jpg"),
        ("C:\\in\\a.jpg", "in/a.jpg"),
        ("a.b", "a.b.jpg"),
    ],
)
def test_a_picture_is_found_by_the_end_of_its_path(tmp_path, key, name):
    source = file_of(tmp_path / "found.json", [key, "other.jpg"])
    assert source.find(pathlib.Path(name), None).boxes[0, 0] == 10


def test_a_picture_is_told_from_its_namesake_in_another_folder(tmp_path):
    source = file_of(tmp_path / "found.json", ["cam1/a.jpg", "cam2/a.jpg", "cam2/0001.jpg"])
    for name, x in (("in/cam1/a.jpg", 10), ("in/cam2/a.jpg", 11), ("cam2/0001.jpg", 12)):
        assert source.find(pathlib.Path(name), None).boxes[0, 0] == x
    with pytest.raises(ValueError, match="in/a.jpg: .* has both 'cam2/a.jpg' and 'cam1/a.jpg'"):
        source.find(pathlib.Path("in/a.jpg"), None)
    with pytest.raises(ValueError, match="cam1/0001.jpg: .*found.json has nobody for it"):
        source.find(pathlib.Path("in/cam1/0001.jpg"), None)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("b_cut/frame_0012.png", ("b_cut", "frame", 12)),
        ("b.mp4_7", ("", "b.mp4", 7)),
        ("a/b/c", ("b", "c", None)),
        ("clip2", ("", "clip", 2)),
        ("clip2_0001.jpeg", ("", "clip2", 1)),
        ("img (12).jpg", ("", "img", 12)),
        ("9" * 5000, ("", "9" * 5000, None)),
        ("", ("", "", None)),
        ("٣.jpg", ("", "٣", None)),
    ],
)
def test_names_are_taken_apart(name, expected):
    assert frame_names.parse_name(name) == expected


def test_names_are_looked_at_once_for_all_frames(tmp_path, monkeypatch):
    source = folder_of(tmp_path / "told", *(f"b_{k:012d}_keypoints.json" for k in range(50)))
    looked, parse = [], frame_names.parse_name
    monkeypatch.setattr(frame_names, "parse_name", lambda name: looked.append(name) or parse(name))
    assert len(seen(source, num_frames=50)) == 50
    assert len(looked) == 50


def test_frames_in_order_keep_gaps_only_where_most_numbers_are_there(rng):
    for _ in range(50):
        numbers = sorted(set(rng.integers(0, 60, rng.integers(1, 60)).tolist()))
        frames = frame_names.frames_in_order(numbers)
        gaps = 2 * len(numbers) > numbers[-1] - numbers[0] + 1
        assert frames[0] == 0 and (np.diff(frames) > 0).all()
        assert np.array_equal(
            np.diff(frames), np.diff(numbers) if gaps else np.ones(len(frames) - 1)
        )

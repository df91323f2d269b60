"""Claims about Human3.6M: frames, values, names, MoSh labels, and incomplete downloads.

The sample holds S1 Directions 1 (two cameras), S9 Walking (one) and S11 Directions, whose camera
0 is cut off; MoSh labels for the first.
"""

import pathlib
import pickle
import shutil

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools import joints, manifest, records, video
from tfrecords_tools.convert import convert
from tfrecords_tools.plan import ConversionError
from tfrecords_tools.readers import human36m, human36m_names, human36m_recordings


@pytest.fixture(scope="module")
def h36m(tmp_path_factory, settings, raw) -> pathlib.Path:
    data_dir = tmp_path_factory.mktemp("h36m")
    convert(settings(data_dir, "h36m", mosh_dir=str(raw / "neutrMosh_h36m")))
    return data_dir / "tf_records_human36m_wjoints"


def read(path: pathlib.Path) -> list[dict]:
    rows = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    spec = records.image_3d_spec()
    return [
        {k: v.numpy() for k, v in tf.io.parse_single_example(row, spec).items()} for row in rows
    ]


def poses(raw, name: str) -> tuple[np.ndarray, np.ndarray]:
    folder = raw / "human36m" / name.split("/")[0] / "MyPoseFeatures"
    file = name.split("/")[1] + ".cdf"
    return (
        human36m.read_cdf(folder / "D2_Positions" / file, 2),
        human36m.read_cdf(folder / "D3_Positions_mono" / file, 3),
    )


def test_every_fifth_frame_as_far_as_there_are_poses(h36m, raw):
    rows = read(h36m / "train" / "train_0000.tfrecord")
    _, points = poses(raw, "S1/Directions 1.54138969")
    expected = len(range(0, len(points), 5))
    assert len(rows) == 2 * expected
    for row, frame in zip(rows[:expected], range(0, len(points), 5), strict=True):
        assert np.allclose(row["mosh/gt3d"].reshape(14, 3), points[frame] / 1000, atol=1e-6)


def test_joints_are_in_the_order_of_lsp(raw):
    file = "S1/MyPoseFeatures/D3_Positions_mono/Directions 1.54138969.cdf"
    import cdflib

    values = cdflib.CDF(raw / "human36m" / file).varget("Pose").reshape(-1, 32, 3)
    _, points = poses(raw, "S1/Directions 1.54138969")
    for name, raw_index in (("right_ankle", 3), ("neck", 13), ("head_top", 15), ("left_hip", 6)):
        assert np.array_equal(points[:, joints.LSP.index(name)], values[:, raw_index])


def test_the_camera_projects_the_joints_onto_the_keypoints(h36m):
    for path in h36m.rglob("*.tfrecord"):
        for row in read(path):
            points = row["mosh/gt3d"].reshape(14, 3)
            focal, *principal = row["image/cam"]
            projected = points[:, :2] / points[:, 2:] * focal + principal
            keypoints = np.stack([row["image/x"], row["image/y"]], axis=1)
            # Rounded picture sizes, swapped factors and fx != fy each cost a part of a pixel.
            assert np.abs(projected - keypoints).max() < 1.0


def test_crops_are_300_px_around_a_person_of_150(h36m):
    for row in read(h36m / "train" / "train_0000.tfrecord"):
        picture = tf.io.decode_jpeg(row["image/encoded"])
        assert picture.shape == (300, 300, 3) == (row["image/height"], row["image/width"], 3)
        assert list(row["image/center"]) == [150, 150]
        keypoints = np.stack([row["image/x"], row["image/y"]], axis=1)
        assert np.linalg.norm(np.ptp(keypoints, axis=0)) == pytest.approx(150, abs=1.5)


def test_labels_of_mosh_are_those_of_the_frame(h36m, raw):
    file = raw / "neutrMosh_h36m" / "neutrSMPL_H3.6" / "S1" / "Directions 1_cam0_aligned.pkl"
    labels = pickle.loads(file.read_bytes())
    rows = read(h36m / "train" / "train_0000.tfrecord")
    with_labels, without = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    for row, pose in zip(with_labels, labels["new_poses"], strict=True):
        assert row["meta/has_3d"] == 1
        assert np.allclose(row["mosh/pose"], pose) and np.allclose(
            row["mosh/shape"], labels["betas"]
        )
    for row in without:
        assert row["meta/has_3d"] == 0
        assert (row["mosh/pose"] == -1).all() and (row["mosh/shape"] == -1).all()


def test_a_test_recording_is_a_file_with_the_originals_name(h36m):
    names = sorted(path.name for path in (h36m / "test").glob("*.tfrecord"))
    assert names == ["S11_Directions_1_cam3.tfrecord", "S9_Walking_1_cam2.tfrecord"]


def test_the_corrupt_recording_is_counted(h36m):
    found = manifest.load(h36m / "test" / "test.manifest.json")
    assert found.skipped["recording damaged at the source"] == 1 and not found.faults


def test_recordings_that_are_there_are_found(raw):
    found = human36m_recordings.find_recordings(raw / "human36m")
    assert {r.label for r in found[human36m_recordings.FOUND]} == {
        "S1_Directions_0_cam0",
        "S1_Directions_0_cam1",
        "S9_Walking_1_cam2",
        "S11_Directions_1_cam3",
    }


def test_what_a_partial_download_lacks_is_told_in_few_short_lines(raw, tmp_path, caplog):
    root = tmp_path / "human36m"
    shutil.copytree(raw / "human36m", root)
    poses = "S9/MyPoseFeatures/D2_Positions/Walking.58860488.cdf"
    (root / poses).unlink()
    found = human36m_recordings.find_recordings(root)
    count = len(found[human36m_recordings.MISSING])
    lines = [line for line in caplog.messages if "missing files" in line or "left out;" in line]
    assert len(lines) == len({r.subject for r in found[human36m_recordings.MISSING]}) + 1
    assert max(map(len, lines)) < 200
    assert f"missing files: {poses}, S9/Videos/" in caplog.text  # half there: told first
    assert f"{count} of " in lines[-1] and "docs/data.md" in lines[-1]


def test_a_damaged_video_is_a_fault_and_not_fatal(tmp_path, settings, raw, caplog):
    root = tmp_path / "raw"
    shutil.copytree(raw / "human36m", root)
    path = root / "S1" / "Videos" / "Directions 1.55011271.mp4"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ConversionError, match="video damaged.*55011271"):
        convert(settings(tmp_path / "records", "h36m", h36m_dir=str(root)))
    assert "video damaged" in caplog.text
    convert(settings(tmp_path / "records", "h36m", h36m_dir=str(root), max_skipped=0.5))


def test_extracted_frames_give_the_same_records(h36m, tmp_path, settings, raw):
    """The layout that human_dynamics' reader leaves; PNG keeps each pixel."""
    root = tmp_path / "raw"
    folder = root / "S9" / "Walking_1" / "cam_2"
    folder.mkdir(parents=True)
    shutil.copy(raw / "human36m" / "metadata.xml", root)
    source = raw / "human36m" / "S9"
    chosen = list(joints.H36M.indices(joints.H36M_17.names))
    import cdflib

    values = {}
    for key, kind, size in (("2d", "D2_Positions", 2), ("3d", "D3_Positions_mono", 3)):
        cdf = cdflib.CDF(source / "MyPoseFeatures" / kind / "Walking.58860488.cdf")
        values[key] = list(cdf.varget("Pose").reshape(-1, 32, size)[::5, chosen])
    (folder / "gt_poses.pkl").write_bytes(pickle.dumps(values, 2))
    file = source / "Videos" / "Walking.58860488.mp4"
    wanted = range(0, 5 * len(values["3d"]), 5)
    for count, (_, picture) in enumerate(video.frames(file, wanted)):
        cv2.imwrite(str(folder / f"frame{count:04d}.png"), picture[..., ::-1])
    convert(settings(tmp_path / "records", "h36m", h36m_dir=str(root)))
    name = "test/S9_Walking_1_cam2.tfrecord"
    made = tmp_path / "records" / "tf_records_human36m_wjoints" / name
    assert made.read_bytes() == (h36m / name).read_bytes()


def test_names_without_metadata_are_the_official_ones():
    names = human36m_names.default_names()
    assert len(names) == 7 * 15 * 2
    assert names[1, "TakingPhoto", 0] == "TakingPhoto 1" and names[6, "TakingPhoto", 0] == "Photo"
    assert names[1, "WakingDog", 1] == "WalkingDog" and names[9, "WakingDog", 0] == "WalkDog 1"
    assert names[11, "Phoning", 0] == "Phoning 3" and names[5, "SittingDown", 1] == "SittingDown 1"
    for subject in (1, 5, 6, 7, 8, 9, 11):
        of_subject = [name for key, name in names.items() if key[0] == subject]
        assert len(set(of_subject)) == 30


def test_metadata_names_and_cameras_are_read(raw):
    names, cameras = human36m_names.read(raw / "human36m")
    assert names[1, "Directions", 0] == "Directions 1" and names[9, "Walking", 1] == "Walking"
    assert (1, "Walking", 1) not in names
    assert np.allclose(cameras, [[289, 128, 126]] * 4)


def test_damaged_metadata_is_named(tmp_path):
    (tmp_path / "metadata.xml").write_text("<metadata><w0>[1 2 3]</w0></metadata>")
    with pytest.raises(ConversionError, match=r"metadata\.xml"):
        human36m_names.read(tmp_path)


def test_an_empty_folder_says_what_is_expected(tmp_path):
    with pytest.raises(ConversionError, match="Videos/Directions"):
        human36m_recordings.find_recordings(tmp_path)


KINDS = {"Videos": "Videos", "D2_Positions": "MyPoseFeatures/D2_Positions",
         "D3_Positions_mono": "MyPoseFeatures/D3_Positions_mono"}  # fmt: skip


def unpacked(source: pathlib.Path, root: pathlib.Path, place: str, small: bool = False):
    """Copies the sample so that each kind of each subject lies in `place`."""
    for subject in ("S1", "S9", "S11"):
        for kind, folder in KINDS.items():
            archive = kind if kind == "Videos" else f"Poses_{kind}"
            to = root / place.format(subject=subject, kind=kind, archive=archive, folder=folder)
            for path in (source / subject / folder).iterdir():
                target = to / path.name
                if small:
                    target = root / str(target.relative_to(root)).lower().replace(" ", "_")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
    shutil.copy(source / "metadata.xml", root / "metadata.xml")


PLACES = (
    "{archive}_{subject}/{subject}/{folder}",
    "{archive}_{subject}/{subject}",
    "{archive}_{subject}",
    "{archive}/{subject}",
    "{subject}/{archive}",
    "{subject}/{archive}_{subject}",
    "{subject}/{kind}",
    "{subject}/{archive}_{subject}.tgz/{subject}/{folder}",
    "download of mine/{subject}/{folder}",
    "Subject_{subject}/{subject}/{folder}",
)


def labels(found, state=human36m_recordings.FOUND) -> set[str]:
    return {recording.label for recording in found[state]}


@pytest.mark.parametrize("small", [False, True], ids=["capitals", "small letters"])
@pytest.mark.parametrize("place", PLACES)
def test_archives_unpacked_under_their_own_names_are_found(raw, tmp_path, place, small):
    unpacked(raw / "human36m", tmp_path, place, small)
    expected = human36m_recordings.find_recordings(raw / "human36m")
    found = human36m_recordings.find_recordings(tmp_path)
    assert labels(found) == labels(expected) and len(labels(found)) == 4
    for one, other in zip(
        found[human36m_recordings.FOUND], expected[human36m_recordings.FOUND], strict=True
    ):
        for mine, theirs in zip(
            human36m_recordings.files_of(tmp_path, one),
            human36m_recordings.files_of(raw / "human36m", other),
            strict=True,
        ):
            assert mine.read_bytes() == theirs.read_bytes()


def test_records_do_not_depend_on_where_the_archives_were_unpacked(h36m, raw, tmp_path, settings):
    unpacked(raw / "human36m", tmp_path / "raw", "{archive}_{subject}/{subject}", small=True)
    folders = {"h36m_dir": str(tmp_path / "raw"), "mosh_dir": str(raw / "neutrMosh_h36m")}
    convert(settings(tmp_path / "out", "h36m", **folders))
    made = tmp_path / "out" / "tf_records_human36m_wjoints"
    for path in h36m.rglob("*.tfrecord"):
        assert (made / path.relative_to(h36m)).read_bytes() == path.read_bytes()


def test_poses_of_another_kind_are_not_taken_and_what_is_there_is_told(raw, tmp_path):
    for other in ("D3_Positions", "D3_Positions_mono_universal", "D3_Angles"):
        folder = tmp_path / other
        unpacked(raw / "human36m", folder, "{subject}/{folder}")
        for subject in ("S1", "S9", "S11"):
            features = folder / subject / "MyPoseFeatures"
            (features / "D3_Positions_mono").rename(features / other)
        with pytest.raises(ConversionError) as caught:
            human36m_recordings.find_recordings(folder)
        assert "expected S1/Videos/Directions 1.54138969.mp4" in str(caught.value)
        assert "5 files of videos; " in str(caught.value)
        assert f"S1/MyPoseFeatures/{other}/Directions 1.54138969.cdf" in str(caught.value)


def test_archives_that_were_not_unpacked_are_told(tmp_path):
    (tmp_path / "Videos_S1.tgz").touch()
    with pytest.raises(ConversionError, match="that must be unpacked: Videos_S1.tgz"):
        human36m_recordings.find_recordings(tmp_path)


def test_of_two_files_of_one_name_the_official_place_holds_else_both_are_told(
    raw, tmp_path, caplog
):
    root = tmp_path / "official"
    unpacked(raw / "human36m", root, "{subject}/{folder}")
    unpacked(raw / "human36m", root, "{archive}_{subject}")
    found = human36m_recordings.find_recordings(root)
    assert found[human36m_recordings.FOUND][0].files[0].startswith("S1/Videos/")
    root = tmp_path / "two"
    unpacked(raw / "human36m", root, "{subject}/{kind}")
    (root / "Videos_S9").mkdir()
    name = "Walking.58860488.mp4"
    shutil.copy(root / "S9" / "Videos" / name, root / "Videos_S9" / name)
    (root / "S9" / "Videos").rename(root / "S9" / "videos")
    assert "S9_Walking_1_cam2" not in labels(human36m_recordings.find_recordings(root))
    assert f"which file is meant: S9/videos/{name} or Videos_S9/{name}" in caplog.text


def test_the_metadata_file_may_lie_in_the_folder_of_its_archive(raw, tmp_path):
    folder = tmp_path / "code-v1.2" / "Release-v1.2"
    folder.mkdir(parents=True)
    shutil.copy(raw / "human36m" / "metadata.xml", folder)
    assert np.allclose(human36m_names.read(tmp_path)[1], [[289, 128, 126]] * 4)


def test_a_recording_without_a_frame_is_told(raw, monkeypatch):
    empty = human36m.Poses(np.zeros((0, 14, 2)), np.zeros((0, 14, 3)))
    monkeypatch.setattr(human36m, "_from_archive", lambda *_: (empty, iter(())))
    found = human36m_recordings.find_recordings(raw / "human36m")
    made = human36m.read(raw / "human36m", None, 5, found[human36m_recordings.FOUND][0])
    assert not made.examples
    assert [(s.reason, s.is_fault) for s in made.skipped] == [("recording without a frame", False)]

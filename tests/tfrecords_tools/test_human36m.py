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

"""Claims about MPI-INF-3DHP beyond the golden records: videos, trainval, the test set."""

import shutil

import cv2
import h5py
import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools import joints, manifest, records
from tfrecords_tools.convert import convert
from tfrecords_tools.readers import mpi_inf_3dhp, mpi_inf_3dhp_testset


@pytest.fixture
def downloaded(raw, tmp_path):
    """The data set as it is downloaded: one camera's frames, in a video without loss."""
    root = tmp_path / "raw"
    shutil.copytree(raw / "mpi_inf_3dhp", root)
    sequence = root / "S1" / "Seq1"
    (sequence / "imageSequence").mkdir()
    frames = sorted((sequence / "imageFrames" / "video_0").glob("*.jpg"))
    pictures = [cv2.imread(str(path)) for path in frames]
    size = pictures[0].shape[1::-1]
    video = str(sequence / "imageSequence" / "video_0.avi")
    writer = cv2.VideoWriter(video, cv2.VideoWriter_fourcc(*"FFV1"), 25, size)
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return root


def parsed(path) -> list[dict]:
    rows = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    spec = records.image_3d_spec()
    return [
        {k: v.numpy() for k, v in tf.io.parse_single_example(row, spec).items()} for row in rows
    ]


def without_picture(row: dict) -> tuple:
    return tuple(
        row[key].tobytes()
        for key in sorted(row)
        if key != "image/encoded"
        if isinstance(row[key], np.ndarray)
    ) + (row["image/filename"],)


def test_videos_give_the_frames_that_unpacked_pictures_give(downloaded, tmp_path, settings):
    folder = str(downloaded)
    shutil.rmtree(downloaded / "S1" / "Seq1" / "imageFrames" / "video_4")
    options = {"mpi_inf_3dhp_dir": folder, "max_skipped": 1.0}
    convert(settings(tmp_path / "frames", "mpi_inf_3dhp", **options))
    shutil.rmtree(downloaded / "S1" / "Seq1" / "imageFrames")
    convert(settings(tmp_path / "videos", "mpi_inf_3dhp", **options))
    shard = "mpi_inf_3dhp/train/train_0000.tfrecord"
    frames, videos = parsed(tmp_path / "frames" / shard), parsed(tmp_path / "videos" / shard)
    assert {without_picture(row) for row in videos} == {without_picture(row) for row in frames}
    by_name = {row["image/filename"]: row for row in frames}
    for row in videos:
        a = tf.io.decode_jpeg(row["image/encoded"]).numpy().astype(int)
        b = tf.io.decode_jpeg(by_name[row["image/filename"]]["image/encoded"]).numpy()
        assert np.abs(a - b).mean() < 3  # OpenCV's JPEG decoder and colour conversion differ


def test_a_short_video_is_counted(downloaded, tmp_path, settings):
    shutil.rmtree(downloaded / "S1" / "Seq1" / "imageFrames")
    video = downloaded / "S1" / "Seq1" / "imageSequence" / "video_0.avi"
    capture = cv2.VideoCapture(str(video))
    ok, picture = capture.read()
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"FFV1"), 25, picture.shape[1::-1])
    writer.write(picture)
    writer.release()
    options = {"mpi_inf_3dhp_dir": str(downloaded), "max_skipped": 1.0}
    made = convert(settings(tmp_path / "out", "mpi_inf_3dhp", **options))
    assert made.examples == {"mpi_inf_3dhp/train": 1}
    path = tmp_path / "out" / "mpi_inf_3dhp" / "train" / "train.manifest.json"
    reasons = manifest.load(path).skipped
    assert reasons["video ends early"] >= 2 and reasons["video missing"] > 7


def test_trainval_has_a_folder_of_its_own(raw, tmp_path, settings):
    options = {"mpi_inf_3dhp_split": "trainval", "max_skipped": 1.0}
    convert(settings(tmp_path, "mpi_inf_3dhp", **options))
    assert (tmp_path / "mpi_inf_3dhp" / "trainval" / "train_0000.tfrecord").is_file()


def test_a_frame_is_kept_when_a_joint_moved_200_mm_since_the_last_kept_one():
    points = np.zeros((6, 14, 3))
    points[:, 3, 0] = [0, 150, 199, 200, 350, 400]
    assert mpi_inf_3dhp.moving_frames(points) == [0, 3, 5]


@pytest.fixture
def test_set(tmp_path):
    """Two frames of TS1, the second not valid, in the layout of the download."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "raw" / "TS1"
    (folder / "imageSequence").mkdir(parents=True)
    points = rng.normal([0, 0, 3500], 400, (2, 1, 17, 3))
    keypoints = points[..., :2] / points[..., 2:] * [300, 302] + [160, 120]
    with h5py.File(folder / "annot_data.mat", "w") as file:
        file["annot2"], file["annot3"] = keypoints, points
        file["valid_frame"] = np.array([[1.0], [0.0]])
        file["activity_annotation"] = np.array([[6.0], [2.0]])
    for number in (1, 2):
        picture = rng.integers(0, 255, (240, 320, 3), np.uint8)
        cv2.imwrite(str(folder / "imageSequence" / f"img_{number:06d}.jpg"), picture)
    return folder, points[:, 0]


def test_the_test_set_holds_the_valid_frames_in_the_order_of_lsp(
    test_set, raw, tmp_path, settings
):
    folder, points = test_set
    shutil.copytree(raw / "mpi_inf_3dhp", tmp_path / "raw", dirs_exist_ok=True)
    options = {"mpi_inf_3dhp_dir": str(tmp_path / "raw"), "max_skipped": 1.0}
    made = convert(settings(tmp_path / "out", "mpi_inf_3dhp", **options))
    assert made.examples["mpi_inf_3dhp/test"] == 1
    (row,) = parsed(tmp_path / "out" / "mpi_inf_3dhp" / "test" / "TS1.tfrecord")
    order = [joints.MPI_INF_3DHP_TEST.index(name) for name in joints.LSP.names]
    assert np.allclose(row["mosh/gt3d"].reshape(14, 3), points[0, order] / 1000)
    assert row["image/visibility"].sum() == 14 and row["meta/has_3d"] == 0
    assert mpi_inf_3dhp_testset.ACTIVITIES[row["meta/activity"] - 1] == "Sports"


def test_the_test_set_does_without_activities(test_set):
    with h5py.File(test_set[0] / "annot_data.mat", "a") as file:
        del file["activity_annotation"]
    assert [frame.activity for frame in mpi_inf_3dhp_testset.read_annotation(test_set[0])] == [
        None
    ]


def test_the_camera_of_the_test_set_is_found_from_its_joints(test_set):
    frames = mpi_inf_3dhp_testset.read_annotation(test_set[0])
    assert np.allclose(frames[0].camera, [301, 160, 120])

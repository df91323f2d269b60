"""Claims about MPI-INF-3DHP beyond the golden records: videos, trainval, the test set."""

import shutil

import cv2
import h5py
import numpy as np
import pytest
import scipy.io
import tensorflow as tf

from tfrecords_tools import joints, manifest, records
from tfrecords_tools.convert import convert
from tfrecords_tools.readers import mpi_inf_3dhp, mpi_inf_3dhp_testset
from tfrecords_tools.verification import verify


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


def rewrite(folder, **arrays):
    with h5py.File(folder / "annot_data.mat", "a") as file:
        for name, values in arrays.items():
            del file[name]
            file[name] = values


@pytest.mark.parametrize("valid", [[[0.0], [0.0]], [0, 0], [[np.nan, 0]], np.zeros((0, 1))])
def test_a_sequence_without_a_valid_frame_is_an_empty_one(
    test_set, raw, tmp_path, settings, valid
):
    folder, _ = test_set
    rewrite(folder, valid_frame=np.array(valid))
    assert mpi_inf_3dhp_testset.read_annotation(folder) == []
    shutil.copytree(raw / "mpi_inf_3dhp", tmp_path / "raw", dirs_exist_ok=True)
    options = {"mpi_inf_3dhp_dir": str(tmp_path / "raw"), "max_skipped": 1.0}
    made = convert(settings(tmp_path / "out", "mpi_inf_3dhp", **options))
    assert made.examples["mpi_inf_3dhp/test"] == 0
    assert "1 sequence without a valid frame" in str(made)
    found = manifest.load(tmp_path / "out" / "mpi_inf_3dhp" / "test" / "test.manifest.json")
    assert found.complete and not found.faults and not found.shards
    assert verify(tmp_path / "out").faults == ()
    assert "was complete" in str(convert(settings(tmp_path / "out", "mpi_inf_3dhp", **options)))


def test_one_valid_frame_whose_axes_matlab_dropped_is_read(test_set):
    folder, points = test_set
    with h5py.File(folder / "annot_data.mat") as file:
        one = {name: np.asarray(file[name])[0] for name in ("annot2", "annot3")}
    rewrite(folder, valid_frame=1.0, activity_annotation=6.0, **one)
    (frame,) = mpi_inf_3dhp_testset.read_annotation(folder)
    order = [joints.MPI_INF_3DHP_TEST.index(name) for name in joints.LSP.names]
    assert np.allclose(frame.joints_mm, points[0, order]) and frame.activity == 6


def test_valid_frames_beyond_the_annotation_are_counted(test_set):
    folder, _ = test_set
    rewrite(folder, valid_frame=np.ones((5, 1)))
    made = mpi_inf_3dhp_testset.read(folder.parent, folder.name)
    assert len(made.examples) == 2
    assert [skip.reason for skip in made.skipped] == ["frame without annotation"] * 3


def test_joints_that_are_no_numbers_cost_their_frame_or_the_sequence(test_set):
    folder, points = test_set
    rewrite(folder, valid_frame=np.ones((2, 1)))
    with h5py.File(folder / "annot_data.mat") as file:
        values = np.asarray(file["annot3"])
    values[0, 0, 3] = np.nan
    rewrite(folder, annot3=values)
    made = mpi_inf_3dhp_testset.read(folder.parent, folder.name)
    assert len(made.examples) == 1
    assert [skip.reason for skip in made.skipped] == ["keypoints absurd"]
    rewrite(folder, annot3=np.full_like(values, np.nan))
    made = mpi_inf_3dhp_testset.read(folder.parent, folder.name)
    assert [skip.reason for skip in made.skipped] == ["joints do not project onto keypoints"]


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_the_shortest_list_of_a_training_annotation_decides(tmp_path, caplog, frames):
    def cells(size, row=False):
        values = np.empty((1, 14) if row else (14, 1), object)
        for camera in range(14):
            values.flat[camera] = np.full((2, 28 * size), float(camera))
        return values

    values = {"frames": np.arange(frames)[:, None], "annot2": cells(2), "annot3": cells(3, True)}
    scipy.io.savemat(tmp_path / "annot.mat", values)
    numbers, keypoints, points = mpi_inf_3dhp.read_annotation(tmp_path / "annot.mat")
    length = min(frames, 2)
    assert len(numbers) == length
    assert {len(part) for part in (*keypoints, *points)} == {length}
    assert keypoints[5].shape == (length, 14, 2) and (points[13] == 13).all()
    assert ("lists; the first" in caplog.text) == (frames != 2)

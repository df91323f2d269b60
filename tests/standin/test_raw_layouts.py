"""Raw layouts: what is written reads back, agrees with itself, and is the same for a seed."""

import hashlib
import json
import pickle

import cdflib
import cv2
import h5py
import numpy as np
import pytest
import scipy.io

from hmr_tf2.standin import people, posing, raw_layouts
from hmr_tf2.standin.raw import human36m, mpi_inf_3dhp, mpi_inf_3dhp_testset
from hmr_tf2.standin.raw.runner import Order
from hmr_tf2.standin.raw_layouts import write_raw
from tfrecords_tools import joints
from tfrecords_tools.datasets import STANDIN_DATASETS

SMALL = {
    "lsp": 5,
    "lsp_ext": 4,
    "mpii": 12,
    "coco": 12,
    "mpi_inf_3dhp": 112,
    "h36m": 56,
    "mosh": 8,
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_raw(tmp_path_factory.mktemp("raw"), SMALL, seed=3)


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.md5(f.read_bytes()).hexdigest() for f in files}


def read_cdf(path):
    return cdflib.CDF(path).varget("Pose").reshape(-1, 32, 3 if "D3" in str(path) else 2)


def test_every_data_set_has_its_folder(raw):
    assert list(raw) == list(STANDIN_DATASETS)
    assert {name: path.name for name, path in raw.items()} == {
        "lsp": "lsp_dataset",
        "lsp_ext": "lsp_extended",
        "mpii": "mpii",
        "coco": "coco",
        "mpi_inf_3dhp": "mpi_inf_3dhp",
        "h36m": "human36m",
        "mosh": "neutrMosh",
    }


@pytest.mark.parametrize("name", STANDIN_DATASETS)
def test_same_seed_same_bytes_for_any_number_of_workers(name, tmp_path):
    folders = [
        write_raw(tmp_path / str(workers), 4, 5, [name], workers)[name] for workers in (1, 3)
    ]
    first, second = (digest(folder) for folder in folders)
    assert first == second and len(first) > 4


def test_other_seed_other_pictures(tmp_path):
    folders = [write_raw(tmp_path / str(seed), 2, seed, ["lsp"])["lsp"] for seed in (1, 2)]
    images = [(folder / "images" / "im0001.jpg").read_bytes() for folder in folders]
    assert images[0] != images[1]


def test_lsp_marks_hidden_joints(raw):
    labels = scipy.io.loadmat(raw["lsp"] / "joints.mat")["joints"]
    assert labels.shape == (3, 14, 5)
    assert set(np.unique(labels[2])) <= {0.0, 1.0}
    image = cv2.imread(str(raw["lsp"] / "images" / "im0001.jpg"))
    inside = (labels[:2, :, 0] >= 0).all(0) & (labels[0, :, 0] < image.shape[1])
    assert inside.sum() >= 12
    assert np.mean(labels[2] == 0) > 0.4  # most joints are seen


def test_lsp_extended_marks_annotated_joints(raw):
    labels = scipy.io.loadmat(raw["lsp_ext"] / "joints.mat")["joints"]
    assert labels.shape == (14, 3, 4)
    assert np.mean(labels[:, 2] == 1) > 0.4
    assert (raw["lsp_ext"] / "images" / "im00004.jpg").is_file()


def test_mpii_keeps_lists_as_struct_arrays_not_cells(raw):
    path = raw["mpii"] / "annotations" / "mpii_human_pose_v1_u12_1.mat"
    entries = scipy.io.loadmat(path)["RELEASE"]["annolist"][0, 0]
    assert entries.shape == (1, 12) and entries.dtype.names[:2] == ("image", "annorect")
    people = entries["annorect"][0, 0]
    points = people["annopoints"][0, 0]["point"][0, 0]
    assert points.dtype.names == ("x", "y", "id", "is_visible") and points.shape[1] > 8


def test_mpii_reads_back_as_struct_arrays(raw):
    path = raw["mpii"] / "annotations" / "mpii_human_pose_v1_u12_1.mat"
    release = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True)["RELEASE"]
    assert len(release.annolist) == 12
    assert release.img_train.tolist() == [1] * 9 + [0] + [1] * 2
    for image, is_train in zip(release.annolist, release.img_train, strict=True):
        assert (raw["mpii"] / "images" / image.image.name).is_file()
        for rect in np.atleast_1d(image.annorect):
            assert hasattr(rect, "annopoints") == bool(is_train)
    points = np.atleast_1d(release.annolist[0].annorect)[0].annopoints.point
    assert {point.id for point in points} <= set(range(16)) and len(points) > 6


def test_coco_counts_boxes_and_masks_agree(raw):
    path = raw["coco"] / "annotations" / "person_keypoints_train2014.json"
    content = json.loads(path.read_text())
    assert len(content["images"]) == 12
    assert [a["id"] for a in content["annotations"]] == list(
        range(1, len(content["annotations"]) + 1)
    )
    assert sum(a["iscrowd"] for a in content["annotations"]) == 1
    for annotation in content["annotations"]:
        keypoints = np.reshape(annotation["keypoints"], (17, 3))
        assert annotation["num_keypoints"] == (keypoints[:, 2] > 0).sum()
        if annotation["iscrowd"]:
            continue
        polygon = np.reshape(np.concatenate(annotation["segmentation"]), (-1, 2))
        x, y, w, h = annotation["bbox"]
        np.testing.assert_allclose(polygon.min(0), [x, y])
        np.testing.assert_allclose(polygon.max(0), [x + w - 1, y + h - 1])
        seen = keypoints[keypoints[:, 2] == 2][:, :2]
        assert ((seen >= polygon.min(0) - 3) & (seen <= polygon.max(0) + 3)).all()


def test_3dhp_points_project_to_its_pixels(raw):
    home = raw["mpi_inf_3dhp"] / "S2" / "Seq1"
    content = scipy.io.loadmat(home / "annot.mat")
    lines = (home / "camera.calibration").read_text().splitlines()[1:]
    for number in mpi_inf_3dhp.USED_CAMERAS:
        block = lines[7 * number : 7 * number + 7]
        assert block[0].split() == ["name", str(number)]
        intrinsic = np.array(block[4].split()[1:], float).reshape(4, 4)[:3, :3]
        points = content["annot3"][number, 0][0].reshape(28, 3)
        projected = points @ intrinsic.T
        expected = content["annot2"][number, 0][0].reshape(28, 2)
        np.testing.assert_allclose(projected[:, :2] / projected[:, 2:], expected, atol=1e-4)
        assert 2000 < points[:, 2].mean() < 5000  # millimetres
        assert (home / f"imageFrames/video_{number}/frame_000001.jpg").is_file()


def test_3dhp_cameras_agree_on_one_world(raw):
    home = raw["mpi_inf_3dhp"] / "S1" / "Seq2"
    content = scipy.io.loadmat(home / "annot.mat")
    lines = (home / "camera.calibration").read_text().splitlines()[1:]
    worlds = []
    for number in mpi_inf_3dhp.USED_CAMERAS:
        extrinsic = np.array(lines[7 * number + 5].split()[1:], float).reshape(4, 4)
        points = content["annot3"][number, 0][0].reshape(28, 3)
        worlds.append((points - extrinsic[:3, 3]) @ extrinsic[:3, :3])
    assert np.ptp(worlds, axis=0).max() < 0.1  # millimetres


def test_3dhp_writes_the_eighth_subject_where_asked(tmp_path):
    mpi_inf_3dhp.write(tmp_path, Order(16, 0), subjects=(8,))
    assert (tmp_path / "S8" / "Seq2" / "annot.mat").is_file()
    assert len(list(tmp_path.glob("S8/**/*.jpg"))) == 16


def test_3dhp_test_set_has_frames_and_points_that_project(raw):
    for sequence in range(1, 7):
        home = raw["mpi_inf_3dhp"] / "mpi_inf_3dhp_test_set" / f"TS{sequence}"
        view = mpi_inf_3dhp_testset.camera(sequence)
        with h5py.File(home / "annot_data.mat") as file:
            points, pixels = file["annot3"][:, 0], file["annot2"][:, 0]
            assert file["valid_frame"].shape == (len(points), 1)
        assert points.shape[1:] == (17, 3)
        np.testing.assert_allclose(
            points[..., :2] / points[..., 2:] * view.focal + view.principal_point, pixels
        )
        assert len(list((home / "imageSequence").glob("img_*.jpg"))) == len(points)


@pytest.mark.parametrize("name", ["mpi_inf_3dhp", "h36m"])
def test_a_small_turn_lets_all_people_face_the_cameras(name, tmp_path):
    variety = people.Variety(turn=1.0)
    folder = write_raw(tmp_path, 112, 0, [name], variety=variety)[name]
    if name == "h36m":
        names = joints.H36M
        points = [read_cdf(path)[0] for path in folder.rglob("D3_Positions_mono/*.cdf")]
    else:
        names = joints.MPI_INF_3DHP
        annotations = [scipy.io.loadmat(path)["annot3"] for path in folder.rglob("annot.mat")]
        points = [a[k, 0][0].reshape(28, 3) for a in annotations for k in (0, 1, 2, 4, 5, 6, 7, 8)]
    # The left side of who faces the camera is on the right of the picture.
    left, right = (names.index(f"{side}_shoulder") for side in ("left", "right"))
    facing = [point[left, 0] > point[right, 0] for point in points]
    assert np.mean(facing) > 0.9


def test_mosh_pickles_are_protocol_2_with_plausible_rows(raw):
    files = sorted(raw["mosh"].glob("neutrSMPL_*/*/*.pkl"))
    parts = {file.parts[-3] for file in files}
    assert parts == {"neutrSMPL_CMU", "neutrSMPL_H3.6", "neutrSMPL_jointLim"}
    for file in files:
        data = file.read_bytes()
        assert data[:2] == b"\x80\x02"
        content = pickle.loads(data)
        poses = content["new_poses" if "H3.6" in str(file) else "poses"]
        assert poses.ndim == 2 and poses.shape[1] == 72 and poses.dtype == np.float64
        assert content["betas"].shape == (10,)
        assert np.abs(poses[:, 3:]).max() < np.pi


def test_h36m_has_train_and_test_subjects_with_videos_and_poses(raw):
    for subject in (1, 5, 6, 7, 8, 9, 11):
        home = raw["h36m"] / f"S{subject}"
        videos = sorted((home / "Videos").glob("*.mp4"))
        assert len(videos) == 4
        for video in videos:
            features = home / "MyPoseFeatures"
            pixels = read_cdf(features / "D2_Positions" / f"{video.stem}.cdf")
            points = read_cdf(features / "D3_Positions_mono" / f"{video.stem}.cdf")
            assert len(pixels) == len(points)
            frames = int(cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT))
            assert len(pixels) <= frames <= len(pixels) + 5
    assert (raw["h36m"] / "metadata.xml").is_file()


def test_h36m_mosh_poses_give_the_3d_labels(raw):
    """SMPL of a MoSh row, moved, is the body that the CDF file has in that frame."""
    pickles = sorted(raw["mosh"].glob("neutrSMPL_H3.6/S1/*_cam2_aligned.pkl"))
    content = pickle.loads(pickles[0].read_bytes())
    recording = pickles[0].name.removesuffix("_cam2_aligned.pkl")
    name = f"{recording}.{human36m.CAMERA_IDS[2]}.cdf"
    points = read_cdf(raw["h36m"] / "S1" / "MyPoseFeatures" / "D3_Positions_mono" / name) / 1000
    rows = list(joints.H36M.indices(joints.LSP.names))
    for k, pose in enumerate(content["new_poses"]):
        keypoints = posing.standin_poser().pose(content["betas"], pose).keypoints
        mine = keypoints[list(joints.COCO_PLUS.indices(joints.LSP.names))]
        difference = points[5 * k][rows] - mine
        assert np.ptp(difference, axis=0).max() < 1e-3


def test_a_finished_folder_is_kept_and_another_order_refused(tmp_path):
    first = write_raw(tmp_path, 2, 0, ["lsp"])["lsp"]
    before = (first / "joints.mat").stat().st_mtime_ns
    assert (write_raw(tmp_path, 2, 0, ["lsp"])["lsp"] / "joints.mat").stat().st_mtime_ns == before
    with pytest.raises(FileExistsError, match="people=3"):
        write_raw(tmp_path, 3, 0, ["lsp"])


def test_bad_requests_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="lsp.*got cocoa"):
        write_raw(tmp_path, 2, 0, ["cocoa"])
    with pytest.raises(ValueError, match="positive"):
        write_raw(tmp_path, 0, 0, ["lsp"])


def test_every_data_set_that_is_said_to_have_a_stand_in_has_a_writer():
    assert set(raw_layouts._FOLDERS) == set(STANDIN_DATASETS)

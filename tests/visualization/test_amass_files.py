"""Files as AMASS has them: SMPL posed from one stands where the camera saw the body, z up."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_tf2.smpl import SMPL
from hmr_tf2.smpl.rig import load_rig
from hmr_tf2.visualization.amass import write_amass
from hmr_tf2.visualization.motion import motion_of

FPS, STEPS = 30.0, 6


@pytest.fixture(scope="module")
def smpl(small_smpl_path):
    return SMPL(str(small_smpl_path))


@pytest.fixture(scope="module")
def rig(small_smpl_path):
    return load_rig(str(small_smpl_path))


@pytest.fixture(scope="module")
def seen(smpl, rig):
    """Betas [10], a motion, and its vertices [T, V, 3] in camera axes, metres."""
    rng = np.random.default_rng(5)
    beta, pose = rng.normal(size=10), rng.normal(0, 0.7, (STEPS, 72))
    pose[:, 66:] = 0  # the hands, which SMPL-H has not
    translations = rng.normal(0, 1, (STEPS, 3)) + [0, 0, 5]
    vertices, joints = rig.shaped(beta)
    turns = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(STEPS, 24, 3, 3)
    moves = motion_of(np.arange(STEPS) / FPS, turns, translations, joints, vertices)
    return beta, moves, posed(smpl, beta, pose) + translations[:, np.newaxis]


def posed(smpl, beta, pose):
    betas = np.tile(beta, (len(pose), 1))
    return smpl(np.float32(betas), np.float32(pose), get_skin=True)[0].numpy()


def written(path, *args):
    write_amass(path, *args)
    with np.load(path) as file:  # without `allow_pickle`
        return dict(file)


def test_smpl_posed_from_the_file_stands_where_the_camera_saw_it(smpl, seen, tmp_path):
    beta, moves, vertices = seen
    file = written(tmp_path / "person0_poses.npz", moves, beta, FPS)
    pose = np.pad(file["poses"][:, :66], [(0, 0), (0, 6)])
    got = posed(smpl, file["betas"][:10], pose) + file["trans"][:, np.newaxis]
    x, y, z = np.moveaxis(vertices, -1, 0)
    np.testing.assert_allclose(got, np.stack([x, z, -y], axis=-1), atol=1e-5)


def test_it_has_the_entries_of_amass(seen, tmp_path):
    beta, moves, _ = seen
    file = written(tmp_path / "a.npz", moves, beta, FPS)
    shapes = {name: (array.shape, array.dtype.kind) for name, array in file.items()}
    assert shapes == {
        "poses": ((STEPS, 156), "f"),
        "root_orient": ((STEPS, 3), "f"),
        "pose_body": ((STEPS, 63), "f"),
        "betas": ((16,), "f"),
        "trans": ((STEPS, 3), "f"),
        "gender": ((), "U"),
        "mocap_framerate": ((), "f"),
        "mocap_frame_rate": ((), "f"),
        "up_axis": ((), "U"),
    }
    assert file["poses"].dtype == file["betas"].dtype == file["trans"].dtype == np.float64
    assert not file["poses"][:, 66:].any() and not file["betas"][10:].any()
    np.testing.assert_array_equal(file["betas"][:10], beta)
    np.testing.assert_array_equal(file["poses"][:, :3], file["root_orient"])
    np.testing.assert_array_equal(file["poses"][:, 3:66], file["pose_body"])
    assert str(file["gender"]) == "neutral" and str(file["up_axis"]) == "z"
    assert file["mocap_framerate"] == file["mocap_frame_rate"] == FPS


def test_hands_are_left_out(rig, seen, tmp_path):
    beta, moves, _ = seen
    turned = moves.rotations.copy()
    turned[:, 22:] = Rotation.from_rotvec([0.3, 0.2, 0.1]).as_matrix()
    file = written(tmp_path / "a.npz", moves._replace(rotations=turned), beta, FPS)
    expected = written(tmp_path / "b.npz", moves, beta, FPS)
    np.testing.assert_array_equal(file["poses"], expected["poses"])


def test_uneven_times_become_the_rate_that_the_file_states(seen, tmp_path):
    beta, moves, _ = seen
    kept = [0, 1, 2, 5]
    gappy = moves._replace(
        times=moves.times[kept], rotations=moves.rotations[kept], root=moves.root[kept]
    )
    file = written(tmp_path / "a.npz", gappy, beta, FPS)
    expected = written(tmp_path / "b.npz", moves, beta, FPS)
    assert len(file["poses"]) == len(file["trans"]) == STEPS
    np.testing.assert_allclose(file["poses"][kept], expected["poses"][kept], atol=1e-6)
    np.testing.assert_allclose(file["trans"][kept], expected["trans"][kept], atol=1e-9)


def test_one_moment_is_one_frame(seen, tmp_path):
    beta, moves, _ = seen
    one = moves._replace(times=moves.times[:1], rotations=moves.rotations[:1], root=moves.root[:1])
    assert written(tmp_path / "a.npz", one, beta, FPS)["poses"].shape == (1, 156)


def test_numbers_that_are_not_finite_are_not_written(seen, tmp_path):
    beta, moves, _ = seen
    bad = moves._replace(root=np.full_like(moves.root, np.inf))
    with pytest.raises(ValueError, match="a.npz: the motion has numbers that are not finite"):
        write_amass(tmp_path / "a.npz", bad, beta, FPS)
    assert list(tmp_path.iterdir()) == []

"""`hmr_tf2.add_keypoints`: one file of SMPL's own and of another project's keypoints."""

import pathlib
import pickle
import pickletools

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.transform import Rotation

from hmr_tf2 import add_keypoints
from hmr_tf2.add_keypoints import AddKeypointsSettings
from hmr_tf2.smpl import SMPL, load_mean_params, load_smpl_file, mean_theta, model_writer
from hmr_tf2.smpl.model_file import MEAN_PARAMS_FILE, SHAPES


@pytest.fixture
def given(small_smpl_path, tmp_path, rng):
    """A folder with SMPL_NEUTRAL.pkl of 120 vertices and 300 betas, keypoints and SPIN's mean."""
    body = dict(load_smpl_file(small_smpl_path))
    np.save(tmp_path / "keypoints.npy", body.pop("cocoplus_regressor").toarray())
    body["shapedirs"] = np.concatenate([body["shapedirs"], np.ones((120, 3, 290))], axis=2)
    (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(pickle.dumps(body, 2))
    turns = Rotation.from_rotvec(rng.normal(size=(24, 3)))
    np.savez(
        tmp_path / "smpl_mean_params.npz",
        pose=turns.as_matrix()[:, :, :2].reshape(144).astype(np.float32),
        shape=rng.normal(size=10).astype(np.float32),
        cam=np.array([0.9, 0, 0], np.float32),
    )
    return tmp_path


def settings(folder: pathlib.Path, **changed) -> AddKeypointsSettings:
    return AddKeypointsSettings(
        **{
            "smpl_model_path": str(folder / "SMPL_NEUTRAL.pkl"),
            "keypoint_regressor": str(folder / "keypoints.npy"),
            "mean_params": str(folder / "smpl_mean_params.npz"),
            "out": str(folder / "models" / "neutral_smpl_with_cocoplus_reg.pkl"),
            **changed,
        }
    )


def test_the_file_is_the_body_with_its_keypoints(given, small_smpl_path, capsys, rng):
    add_keypoints.main(settings(given))
    out = given / "models" / "neutral_smpl_with_cocoplus_reg.pkl"
    want, got = load_smpl_file(small_smpl_path), load_smpl_file(out)
    for key in SHAPES:
        assert got[key].shape == want[key].shape and (got[key] != want[key]).sum() == 0, key
    beta, theta = rng.normal(size=(1, 10)), rng.normal(size=(1, 72))
    both = SMPL(out)(beta, theta, True), SMPL(small_smpl_path)(beta, theta, True)
    for a, b in zip(*both, strict=True):
        np.testing.assert_array_equal(a, b)
    assert mean_theta(out).shape == (1, 85)
    said = capsys.readouterr().out
    assert f"Wrote {out}: 120 vertices and 19 keypoints" in said and MEAN_PARAMS_FILE in said


def test_the_original_reads_the_file_without_chumpy(given):
    """As its `undo_chumpy` and `.T.todense()` do; and by the names of Python 2's libraries."""
    add_keypoints.main(settings(given))
    data = (given / "models" / "neutral_smpl_with_cocoplus_reg.pkl").read_bytes()
    assert data[:2] == b"\x80\x02"
    named = {argument for code, argument, _ in pickletools.genops(data) if code.name == "GLOBAL"}
    assert named == {
        "numpy.core.multiarray _reconstruct",
        "numpy ndarray",
        "numpy dtype",
        "_codecs encode",
        "scipy.sparse.csc csc_matrix",
    }
    content = pickle.loads(data)
    for key in ("J_regressor", "cocoplus_regressor"):
        assert sp.issparse(content[key]) and content[key].T.todense().shape[0] == 120
    assert content["shapedirs"].shape == (120, 3, 10)
    assert content["f"].dtype == np.uint32 and content["kintree_table"].dtype == np.int64
    np.testing.assert_allclose(content["J"], content["J_regressor"] @ content["v_template"])
    assert (content["bs_type"], content["bs_style"]) == ("lrotmin", "lbs")


def test_spins_mean_parameters_become_the_same_rotations(given):
    add_keypoints.main(settings(given))
    mean = load_mean_params(given / "models" / MEAN_PARAMS_FILE)
    with np.load(given / "smpl_mean_params.npz") as spin:
        columns, shape = spin["pose"].reshape(24, 3, 2), spin["shape"]
    got = Rotation.from_rotvec(mean["pose"].reshape(24, 3)).as_matrix()
    np.testing.assert_allclose(got[..., :2], columns, atol=1e-6)
    np.testing.assert_array_equal(mean["shape"], shape)


def test_columns_are_made_a_rotation_as_in_the_paper(rng):
    """Scaled columns, and a second one that leans to the first, are the same rotation."""
    turns = Rotation.from_rotvec(rng.normal(size=(50, 3)))
    columns = turns.as_matrix()[..., :2]
    leaning = columns * [2.0, 0.3] + 0.7 * columns[..., :1] * [0, 1]
    np.testing.assert_allclose(
        Rotation.from_rotvec(model_writer.rotation_vectors(leaning)).as_matrix(),
        turns.as_matrix(),
        atol=1e-12,
    )
    np.testing.assert_allclose(model_writer.rotation_vectors(np.eye(3)[:, :2]), np.zeros(3))
    half = model_writer.rotation_vectors(np.diag([1.0, -1, -1])[:, :2])
    np.testing.assert_allclose(np.abs(half), [np.pi, 0, 0], atol=1e-12)


@pytest.mark.parametrize("columns", [np.zeros((3, 2)), np.ones((3, 2))])
def test_columns_that_make_no_rotation_are_refused(columns):
    with pytest.raises(ValueError, match="zero or parallel"):
        model_writer.rotation_vectors(columns)


def test_the_authors_mean_parameters_are_copied(given, small_smpl_path):
    path = small_smpl_path.with_name(MEAN_PARAMS_FILE)
    add_keypoints.main(settings(given, mean_params=str(path)))
    want, got = load_mean_params(path), load_mean_params(given / "models" / MEAN_PARAMS_FILE)
    for key in ("pose", "shape"):
        np.testing.assert_array_equal(got[key], want[key])


def test_without_mean_parameters_those_beside_the_body_are_taken(given, capsys):
    mean = {"pose": np.full(72, 0.1), "shape": np.zeros(10)}
    add_keypoints.main(settings(given, mean_params=None))
    assert "A model also needs" in capsys.readouterr().out
    with h5py.File(given / MEAN_PARAMS_FILE, "w") as file:
        for key, value in mean.items():
            file[key] = value
    other = str(given / "other" / "body.pkl")
    add_keypoints.main(settings(given, mean_params=None, out=other))
    got = load_mean_params(given / "other" / MEAN_PARAMS_FILE)
    np.testing.assert_array_equal(got["pose"], mean["pose"])


@pytest.mark.parametrize(
    "arrays, cause",
    [
        ({"pose": np.zeros(144)}, "must hold finite numbers 'shape'"),
        ({"pose": np.zeros(144), "shape": np.zeros(10)}, "zero or parallel"),
        ({"pose": np.zeros(143), "shape": np.zeros(10)}, "got 143 and 10"),
        ({"pose": np.zeros(72), "shape": np.zeros(300)}, "got 72 and 300"),
        ({"pose": np.full(72, np.nan), "shape": np.zeros(10)}, "must hold finite numbers 'pose'"),
        ({"pose": np.array(["x"]), "shape": np.zeros(10)}, "must hold finite numbers 'pose'"),
    ],
)
def test_bad_mean_parameters_are_refused_before_anything_is_written(given, arrays, cause):
    np.savez(given / "smpl_mean_params.npz", **arrays)
    with pytest.raises(ValueError, match=rf"smpl_mean_params\.npz.*{cause}"):
        add_keypoints.main(settings(given))
    assert not (given / "models").exists()


def test_mean_parameters_that_are_missing_are_named(given):
    with pytest.raises(FileNotFoundError, match=r"absent\.npz.*--mean_params accepts"):
        add_keypoints.main(settings(given, mean_params=str(given / "absent.npz")))


@pytest.mark.parametrize("there", ["neutral_smpl_with_cocoplus_reg.pkl", MEAN_PARAMS_FILE])
def test_nothing_is_written_over(given, there):
    (given / "models").mkdir()
    (given / "models" / there).write_bytes(b"mine")
    with pytest.raises(ValueError, match=f"{there} is there already"):
        add_keypoints.main(settings(given))
    assert (given / "models" / there).read_bytes() == b"mine"


def test_both_files_are_needed():
    with pytest.raises(ValueError, match="--smpl_model_path is needed"):
        AddKeypointsSettings()
    with pytest.raises(ValueError, match="--keypoint_regressor is needed"):
        AddKeypointsSettings(smpl_model_path="x.pkl")

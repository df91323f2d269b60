"""Keypoints for an SMPL file that has none, from what other projects ship."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from absl import logging

from hmr_tf2.smpl import SMPL, load_body, load_smpl_file
from hmr_tf2.smpl.keypoint_regressor import FACE_VERTICES
from hmr_tf2.smpl.rig import load_rig
from tfrecords_tools import joints

# The order of the rows that `matrix @ vertices` is taken in by SPIN's own programs (constants.py):
# right ankle, knee, hip, left hip, knee, ankle, right wrist, elbow, shoulder, left ..., neck, top.
SPIN_H36M_TO_J14 = [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10]
# Those of the 24 joints of SMPL and nine more that SPIN's keypoints of LSP are.
SPIN_J14 = [8, 5, 45, 46, 4, 7, 21, 19, 17, 16, 18, 20, 47, 48]


@pytest.fixture(scope="module")
def body(reference):
    """SMPL's own: 6890 vertices, no keypoints of HMR."""
    made = reference.reference_body(0)
    del made["cocoplus_regressor"]
    return made


@pytest.fixture(scope="module")
def official(body, tmp_path_factory):
    path = tmp_path_factory.mktemp("official") / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(body, 2))
    return path


def near(body, points, rng):
    """Rows that average some vertices to about `points` [K, 3]."""
    rows = np.zeros((len(points), len(body["v_template"])))
    for row, point in zip(rows, points, strict=True):
        close = np.argsort(np.linalg.norm(body["v_template"] - point, axis=1))[:20]
        row[close] = rng.dirichlet(np.ones(20))
    return rows


@pytest.fixture
def joint_points(body):
    own = dict(zip(joints.SMPL.names, body["J_regressor"] @ body["v_template"], strict=True))
    return own | {
        "head_top": own["head"] + [0, 0.15, 0],
        "torso": own["spine2"],
        "thorax": own["spine3"],
        "spine": own["spine1"],
        "jaw": own["head"],
    }


def rows_of(body, joint_set, joint_points, rng):
    points = [joint_points.get(name, joint_points["head"]) for name in joint_set.names]
    return near(body, points, rng)


def saved(tmp_path, rows, name="regressor.npy"):
    path = tmp_path / name
    np.save(path, rows)
    return path


def dense(matrix):
    return np.asarray(matrix.todense() if sp.issparse(matrix) else matrix)


def test_spins_extra_rows_are_put_together_as_spin_does(
    body, official, joint_points, tmp_path, rng
):
    extra = rows_of(body, joints.SPIN_EXTRA, joint_points, rng)
    got = load_smpl_file(official, saved(tmp_path, extra))["cocoplus_regressor"]
    assert got.shape == (19, 6890) and got.dtype == np.float64
    # SPIN's 54: 24 joints of SMPL, 21 vertices, 9 extra ones.
    spin = np.vstack([dense(body["J_regressor"]), np.full((21, 6890), np.nan), extra])
    np.testing.assert_array_equal(got[:14], spin[SPIN_J14])
    for name, vertex in FACE_VERTICES.items():
        row = got[joints.COCO_PLUS.index(name)]
        assert np.flatnonzero(row).tolist() == [vertex] and row[vertex] == 1


def test_spins_rows_of_human36m_are_taken_in_spins_order(
    body, official, joint_points, tmp_path, rng
):
    rows = rows_of(body, joints.SPIN_H36M, joint_points, rng)
    got = load_smpl_file(official, saved(tmp_path, rows))["cocoplus_regressor"]
    np.testing.assert_array_equal(got[:14], rows[SPIN_H36M_TO_J14])
    assert [np.flatnonzero(row).tolist() for row in got[14:]] == [
        [FACE_VERTICES[name]] for name in joints.FACE.names
    ]


def test_the_same_rows_with_the_right_leg_first_give_the_same_keypoints(
    body, official, joint_points, tmp_path, rng
):
    """J_regressor_h36m_correct.npy of other projects, whatever its name."""
    rows = rows_of(body, joints.SPIN_H36M, joint_points, rng)
    want = load_smpl_file(official, saved(tmp_path, rows))["cocoplus_regressor"]
    swapped = rows[list(joints.SPIN_H36M.indices(joints.H36M_17.names))]
    got = load_smpl_file(official, saved(tmp_path, swapped))["cocoplus_regressor"]
    np.testing.assert_array_equal(got, want)


def test_rows_that_tell_nothing_are_taken_in_spins_order(official, tmp_path, rng):
    rows = rng.dirichlet(np.ones(6890), 17)
    got = load_smpl_file(official, saved(tmp_path, rows))["cocoplus_regressor"]
    np.testing.assert_array_equal(got[:14], rows[SPIN_H36M_TO_J14])


@pytest.mark.parametrize("count", [14, 19, 25])
def test_keypoints_of_hmr_are_taken_as_they_are(official, reference, tmp_path, count):
    rows = dense(reference.reference_body_25(0)["cocoplus_regressor"])[:count]
    got = load_smpl_file(official, saved(tmp_path, rows))["cocoplus_regressor"]
    assert got.shape == (19, 6890)
    np.testing.assert_array_equal(got[: min(count, 19)], rows[:19])


FORMS = {
    "float32.npy": lambda path, rows: np.save(path, rows.astype(np.float32)),
    "turned.npy": lambda path, rows: np.save(path, rows.T),
    "fortran.npy": lambda path, rows: np.save(path, np.asfortranarray(rows)),
    "one.npz": lambda path, rows: np.savez(path, anything=rows),
    "named.npz": lambda path, rows: np.savez(
        path, J_regressor=np.zeros((24, 6890)), J_regressor_extra=rows, names=np.array(["a"])
    ),
    "compressed.npz": lambda path, rows: np.savez_compressed(path, J_regressor_extra=rows),
    "sparse.npz": lambda path, rows: sp.save_npz(path, sp.csc_matrix(rows)),
    "array.pkl": lambda path, rows: path.write_bytes(pickle.dumps(rows, 2)),
    "matrix.pkl": lambda path, rows: path.write_bytes(pickle.dumps(np.matrix(rows), 2)),
    "sparse.pkl": lambda path, rows: path.write_bytes(pickle.dumps(sp.csr_matrix(rows), 4)),
    "lil.pkl": lambda path, rows: path.write_bytes(pickle.dumps(sp.lil_matrix(rows), 2)),
    "dict.pkl": lambda path, rows: path.write_bytes(
        pickle.dumps({"J_regressor_extra": rows, "about": "SPIN"}, 0)
    ),
    "npy.pkl": lambda path, rows: np.save(path.open("wb"), rows),
    "pickle.npy": lambda path, rows: path.write_bytes(pickle.dumps(rows, 5)),
}


@pytest.mark.filterwarnings("ignore:.*matrix subclass")
@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_file_gives_the_same(body, official, joint_points, tmp_path, rng, name):
    rows = rows_of(body, joints.SPIN_EXTRA, joint_points, rng).astype(np.float32).astype(float)
    want = load_smpl_file(official, saved(tmp_path, rows))["cocoplus_regressor"]
    FORMS[name](tmp_path / name, rows)
    got = load_smpl_file(official, tmp_path / name)["cocoplus_regressor"]
    np.testing.assert_array_equal(got, want)


def test_the_whole_file_of_the_authors_is_a_regressor_too(official, smpl_path):
    got = load_smpl_file(official, smpl_path)["cocoplus_regressor"]
    np.testing.assert_array_equal(got, dense(load_smpl_file(smpl_path)["cocoplus_regressor"]))


def test_a_body_with_that_regressor_is_the_authors_to_the_bit(official, smpl_path, rng):
    beta, theta = rng.normal(size=(2, 10)), rng.normal(size=(2, 72)) * 0.3
    for joint_type in ("cocoplus", "lsp"):
        want = SMPL(smpl_path, joint_type)(beta, theta, get_skin=True)
        got = SMPL(official, joint_type, smpl_path)(beta, theta, get_skin=True)
        for a, b in zip(want, got, strict=True):
            np.testing.assert_array_equal(a, b)


def test_keypoints_follow_the_vertices_they_are_made_of(
    body, official, joint_points, tmp_path, rng
):
    path = saved(tmp_path, rows_of(body, joints.SPIN_EXTRA, joint_points, rng))
    smpl = SMPL(official, keypoint_regressor=str(path))
    verts, points, _ = smpl(rng.normal(size=(2, 10)), rng.normal(size=(2, 72)) * 0.3, True)
    regressor = load_smpl_file(official, path)["cocoplus_regressor"]
    np.testing.assert_allclose(points, np.einsum("kv,nvc->nkc", regressor, verts), atol=1e-5)
    np.testing.assert_allclose(points[:, 14], verts[:, 332], atol=1e-5)


def test_a_rig_needs_no_keypoints(official, smpl_path):
    for a, b in zip(load_rig(official), load_rig(smpl_path), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_keypoints_the_way_out_is_told(official):
    with pytest.raises(ValueError, match="lacks cocoplus_regressor; .*--keypoint_regressor=FILE"):
        load_smpl_file(official)
    assert "cocoplus_regressor" not in load_body(official)


def test_a_mesh_that_is_not_smpls_has_no_points_of_the_face(
    small_smpl_path, joint_points, tmp_path, rng
):
    small = load_body(small_smpl_path)
    path = saved(tmp_path, rows_of(small, joints.SPIN_EXTRA, joint_points, rng))
    with pytest.raises(
        ValueError, match=r"lacks nose, left_eye, right_eye, left_ear, right_ear, "
    ):
        load_smpl_file(small_smpl_path, path)
    assert SMPL(small_smpl_path, "lsp", str(path)).joint_type == "lsp"


def bad(rows, index, value):
    rows = rows.copy()
    rows[index] = value
    return rows


REFUSED = {
    "another mesh": (np.ones((9, 778)), "a mesh of 778 vertices, and the SMPL file has 6890"),
    "SMPL's joints": (np.ones((24, 6890)), "24 rows: these are SMPL's own joints"),
    "ten rows": (np.ones((10, 6890)), r"has the shape \(10, 6890\).*J_regressor_extra.npy \[9, V"),
    "one row": (np.ones(6890), r"has the shape \(6890,\)"),
    "three axes": (np.ones((9, 6890, 1)), r"has the shape \(9, 6890, 1\)"),
    "NaN": (bad(np.full((9, 6890), 1 / 6890), (3, 4), np.nan), "holds NaN or infinity"),
    "infinity": (bad(np.full((9, 6890), 1 / 6890), (8, 4), np.inf), "holds NaN or infinity"),
    "complex": (np.ones((9, 6890), complex), "values of type complex128"),
    "text": (np.full((9, 6890), "x"), "values of type <U1"),
    "sums": (np.ones((9, 6890)), "must sum to about 1; those of .* sum to 6890"),
    "zeros": (np.zeros((9, 6890)), "must sum to about 1; those of .* sum to 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_regressor_is_refused_by_name(official, tmp_path, name):
    rows, cause = REFUSED[name]
    with pytest.raises(ValueError, match=rf"regressor\.npy.*{cause}"):
        load_smpl_file(official, saved(tmp_path, rows))


def test_rows_in_the_order_of_coco_are_noticed(body, official, joint_points, tmp_path, rng):
    rows = rows_of(body, joints.COCO, joint_points, rng)
    with pytest.raises(ValueError, match="lacks neck, head_top: its rows are the keypoints of"):
        load_smpl_file(official, saved(tmp_path, rows))


@pytest.mark.parametrize(
    "content, cause",
    [
        ({"J_regressor_extra": np.ones((9, 4)), "J_regressor_h36m": np.ones((17, 4))}, "several"),
        ({"J_regressor": np.ones((24, 4)), "f": np.ones(3)}, "holds J_regressor, f"),
        ({}, "holds nothing"),
        ([[1.0]], "an object of type list, not a matrix"),
        ("text", "an object of type str"),
    ],
)
def test_a_pickle_without_one_regressor_is_refused(official, tmp_path, content, cause):
    path = tmp_path / "regressor.pkl"
    path.write_bytes(pickle.dumps(content, 2))
    with pytest.raises(ValueError, match=rf"regressor\.pkl.*{cause}.*accepts J_regressor_extra"):
        load_smpl_file(official, path)


@pytest.mark.parametrize(
    "content, cause",
    [
        (b"", r"is empty \(0 bytes\).*Download"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS.*git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page.*Log in"),
        (b'{"a": 1}', "a JSON document"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x93NUMPY\x01\x00v\x00{", "cannot be read as a NumPy array"),
        (b"PK\x03\x04" + b"\x00" * 22 + b"\x05\x00\x00\x00a.npy", "cannot be read as an archive"),
        (b"\x80\x02", "cannot be read as a pickle"),
        (b"cos\nsystem\n(S'touch x'\ntR.", "os.system"),
    ],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(official, tmp_path, content, cause):
    path = tmp_path / "J_regressor_extra.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"J_regressor_extra\.npy.*{cause}"):
        load_smpl_file(official, path)


def test_a_missing_regressor_is_named_with_its_flag(official, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.npy.*--keypoint_regressor accepts"):
        load_smpl_file(official, tmp_path / "absent.npy")


@pytest.fixture
def warnings_of(official, tmp_path, monkeypatch):
    """warnings_of(rows) -> the warnings of loading them, as text."""

    def warnings(rows):
        told = []
        monkeypatch.setattr(logging, "warning", lambda text, *values: told.append(text % values))
        load_smpl_file(official, saved(tmp_path, rows))
        return told

    return warnings


def test_keypoints_that_lie_elsewhere_are_told(body, joint_points, rng, warnings_of):
    lsp = rows_of(body, joints.LSP, joint_points, rng)
    sides = [text for text in warnings_of(lsp[list(joints.LSP.flipped)]) if "elsewhere" in text]
    assert "right_ankle, right_knee, right_hip, left_hip" in sides[0]
    (told,) = [text for text in warnings_of(lsp) if "elsewhere" in text] or [""]
    assert not set(joints.LSP.names) & set(told.replace(",", "").split())


def test_sums_that_are_a_little_off_are_told(body, joint_points, rng, warnings_of):
    rows = rows_of(body, joints.LSP, joint_points, rng)
    rows[4] *= 1.1
    told = [text for text in warnings_of(rows) if "sum to 1" in text]
    assert len(told) == 1 and "left_knee sum to 1.100" in told[0]

"""SMPL and mean files: read exactly, refused clearly."""

import gzip
import io
import pathlib
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import scipy.sparse

from hmr_tf2.smpl import SMPL, load_mean_params, load_smpl_file, mean_theta
from hmr_tf2.smpl.model_file import SHAPES
from hmr_tf2.smpl.rig import load_rig

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.fixture
def small(small_smpl_path):
    return dict(load_smpl_file(small_smpl_path))


def write(tmp_path, body):
    path = tmp_path / "body.pkl"
    path.write_bytes(pickle.dumps(body, 2))
    return path


def test_python_2_file_with_chumpy_loads_exactly(small):
    expected = np.load(GOLDEN / "small_body_0.npz")
    for key in expected.files:
        value = small[key].todense() if scipy.sparse.issparse(small[key]) else small[key]
        np.testing.assert_array_equal(value, expected[key], err_msg=key)
    assert scipy.sparse.issparse(small["J_regressor"])
    assert all(small[k].dtype == np.float64 for k in ("v_template", "shapedirs", "posedirs"))


def test_written_by_python_3_it_loads_the_same(small, tmp_path):
    again = load_smpl_file(write(tmp_path, small))
    for key in SHAPES:
        assert (again[key] != small[key]).sum() == 0, key


@pytest.mark.parametrize("key", SHAPES)
def test_a_missing_entry_is_named(small, tmp_path, key):
    del small[key]
    path = write(tmp_path, small)
    with pytest.raises(ValueError, match=f"{path} lacks {key};"):
        load_smpl_file(path)


@pytest.mark.parametrize("key", SHAPES)
def test_a_misshapen_entry_is_named(small, tmp_path, key):
    value = small[key]
    small[key] = scipy.sparse.csc_matrix(value[:, :-1]) if value.ndim == 2 else value[..., :-1]
    if key == "shapedirs":
        small[key] = value[:, :, 0]
    path = write(tmp_path, small)
    with pytest.raises(ValueError, match=f"{path}: .*must have the shape"):
        load_smpl_file(path)


@pytest.mark.parametrize(
    "key, axis",
    [
        ("shapedirs", 0),
        ("posedirs", 0),
        ("weights", 0),
        ("J_regressor", 1),
        ("cocoplus_regressor", 1),
    ],
)
def test_arrays_of_another_number_of_vertices_are_refused(small, tmp_path, key, axis):
    value = small[key]
    dense = value.toarray() if scipy.sparse.issparse(value) else value
    small[key] = dense.take(range(119), axis)
    with pytest.raises(ValueError, match="V=120"):
        load_smpl_file(write(tmp_path, small))


@pytest.mark.parametrize(
    "key, index, value, cause",
    [
        ("v_template", (3, 1), np.nan, "'v_template' holds NaN"),
        ("weights", (0, 0), np.inf, "'weights' holds NaN or infinity"),
        ("f", (0, 0), 120, "'f' must index the 120 vertices"),
        ("kintree_table", (0, 5), 9, "'kintree_table' must give every joint a parent"),
    ],
)
def test_impossible_values_are_refused(small, tmp_path, key, index, value, cause):
    small[key] = small[key].copy()
    small[key][index] = value
    with pytest.raises(ValueError, match=cause):
        load_smpl_file(write(tmp_path, small))


@pytest.mark.parametrize("size", [0, 1, 100, 20_000, 600_000])
def test_a_truncated_file_is_refused_by_name(small_smpl_path, tmp_path, size):
    path = tmp_path / "cut.pkl"
    path.write_bytes(small_smpl_path.read_bytes()[:size])
    with pytest.raises((ValueError, OSError), match="cut.pkl"):
        load_smpl_file(path)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    for path in (tmp_path / "absent.pkl", tmp_path):
        with pytest.raises(OSError, match=path.name):
            load_smpl_file(path)


def test_a_file_of_something_else_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds a dict with v_template.*holds a list"):
        load_smpl_file(write(tmp_path, [1, 2]))


def test_code_in_the_file_does_not_run(tmp_path):
    marker = tmp_path / "ran"
    path = tmp_path / "hostile.pkl"
    path.write_bytes(b"cos\nsystem\n(S'touch %s'\ntR." % str(marker).encode())
    with pytest.raises(ValueError, match="hostile.pkl.*os.system"):
        load_smpl_file(path)
    assert not marker.exists()


def test_mean_theta_is_upright_and_keeps_the_rest(small_smpl_path, reference):
    mean = reference.mean_params(0)
    theta = mean_theta(small_smpl_path)
    assert theta.shape == (1, 85)
    np.testing.assert_array_equal(theta[0, :6], [0.9, 0, 0, np.pi, 0, 0])
    np.testing.assert_array_equal(theta[0, 6:75], mean["pose"][3:])
    np.testing.assert_array_equal(theta[0, 75:], mean["shape"])


def test_bad_mean_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="neutral_smpl_mean_params.h5 is missing"):
        mean_theta(tmp_path / "body.pkl")
    path = tmp_path / "mean.h5"
    path.write_bytes(b"not hdf5")
    with pytest.raises(ValueError, match="mean.h5 is not a file of mean parameters"):
        load_mean_params(path)
    for name, pose in (
        ("none.h5", None),
        ("short.h5", np.zeros(71)),
        ("nan.h5", np.full(72, np.nan)),
    ):
        with h5py.File(tmp_path / name, "w") as file:
            file["shape"] = np.zeros(10)
            if pose is not None:
                file["pose"] = pose
        with pytest.raises(ValueError, match=name):
            load_mean_params(tmp_path / name)


def test_the_utmost_values_that_are_possible_are_taken(small, tmp_path):
    small["f"] = np.array([[0, 119, 0]])
    small["kintree_table"] = np.stack([np.arange(-1, 23), np.arange(24)])  # one long chain
    loaded = load_smpl_file(write(tmp_path, small))
    np.testing.assert_array_equal(loaded["f"], [[0, 119, 0]])
    np.testing.assert_array_equal(loaded["kintree_table"][0, 1:], np.arange(23))


def test_what_the_root_hangs_on_is_not_read(small, tmp_path):
    """The authors' files hold 2 ** 32 - 1 there."""
    for root in (-1, 0, 2**32 - 1):
        small["kintree_table"] = small["kintree_table"].copy()
        small["kintree_table"][0, 0] = root
        assert load_smpl_file(write(tmp_path, small))["kintree_table"][0, 0] == root


def test_fourteen_keypoints_are_enough_and_thirteen_are_not(small, tmp_path):
    regressor = small["cocoplus_regressor"].toarray()
    for kept in (14, 25):
        small["cocoplus_regressor"] = np.resize(regressor, (kept, 120))
        load_smpl_file(write(tmp_path, small))
    small["cocoplus_regressor"] = regressor[:13]
    with pytest.raises(ValueError, match="at least 14 keypoints; .*K=13"):
        load_smpl_file(write(tmp_path, small))


@pytest.mark.parametrize("key, axis", [("shapedirs", 2), ("f", 0)])
def test_a_body_without_faces_or_shapes_is_refused(small, tmp_path, key, axis):
    small[key] = small[key].take([], axis=axis)
    with pytest.raises(ValueError, match="needs vertices, faces, shape directions"):
        load_smpl_file(write(tmp_path, small))


def test_nan_in_a_sparse_matrix_is_refused(small, tmp_path):
    small["J_regressor"] = small["J_regressor"].copy()
    small["J_regressor"].data[3] = np.nan
    with pytest.raises(ValueError, match="'J_regressor' holds NaN"):
        load_smpl_file(write(tmp_path, small))


def test_what_hmr_does_not_need_is_kept_where_it_is_numbers(small, tmp_path):
    small |= {"extra": np.array([[1, 2]]), "list": [1], "note": "text", "about": {"a": 1}}
    loaded = load_smpl_file(write(tmp_path, small))
    np.testing.assert_array_equal(loaded["extra"], [[1.0, 2.0]])
    assert loaded["extra"].dtype == np.float64
    assert not {"note", "about", "list"} & set(loaded)


def test_whole_numbers_stay_whole(small):
    assert small["f"].dtype == small["kintree_table"].dtype == np.int64


@pytest.mark.parametrize(
    "key, index, value",
    [
        ("f", (0, 0), -1),
        ("kintree_table", (0, 5), 5),
        ("kintree_table", (0, 1), -1),
        ("kintree_table", (0, 23), 23),
    ],
)
def test_the_first_impossible_values_are_refused(small, tmp_path, key, index, value):
    small[key] = small[key].copy()
    small[key][index] = value
    with pytest.raises(ValueError, match=f"'{key}' must"):
        load_smpl_file(write(tmp_path, small))


@pytest.mark.parametrize("pose, betas", [(71, 10), (73, 10), (72, 9), (72, 11)])
def test_mean_parameters_of_another_size_are_refused(tmp_path, pose, betas):
    with h5py.File(tmp_path / "mean.h5", "w") as file:
        file["pose"], file["shape"] = np.zeros(pose), np.zeros(betas)
    with pytest.raises(ValueError, match="must be (72|10) finite numbers"):
        load_mean_params(tmp_path / "mean.h5")


def test_lists_are_not_taken_for_arrays(small, tmp_path):
    small["v_template"] = small["v_template"].tolist()
    with pytest.raises(ValueError, match="'v_template' does not hold numbers: it is of type list"):
        load_smpl_file(write(tmp_path, small))


def test_an_array_under_many_names_is_converted_once(small, tmp_path):
    shared = np.zeros(1000, np.int8)
    small |= {f"again {number}": shared for number in range(20)}
    loaded = load_smpl_file(write(tmp_path, small))
    assert len({id(loaded[f"again {number}"]) for number in range(20)}) == 1


def test_a_missing_smpl_file_names_the_flag_and_where_to_get_one(tmp_path):
    for path in (tmp_path / "absent.pkl", tmp_path):
        with pytest.raises(OSError, match=r"--smpl_model_path=FILE.*hmr_tf2\.standin"):
            load_smpl_file(path)


def test_mean_parameters_of_endless_shape_are_refused_unread(tmp_path):
    path = tmp_path / "neutral_smpl_mean_params.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("pose", (10**12,), "f8", chunks=(1024,))
        file["shape"] = np.zeros(10)
    with pytest.raises(ValueError, match="'pose' must be 72 finite numbers; got shape"):
        load_mean_params(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("pose", (72,), "f8", maxshape=(None,), chunks=(10**9 // 8,))
        file["shape"] = np.zeros(10)
    with pytest.raises(ValueError, match="'pose' is stored in pieces of 125000000 numbers"):
        load_mean_params(path)


SPARSE = ("csc", "csr", "coo", "bsr", "dia", "lil", "dok")


@pytest.mark.filterwarnings("ignore:.*matrix subclass")
@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("kind", [*SPARSE, "matrix", "dense", "csr_array", "lil_array"])
def test_a_body_is_the_same_however_its_matrices_are_stored(small, tmp_path, kind, protocol):
    stored = dict(small)
    for key in ("J_regressor", "cocoplus_regressor"):
        dense = np.asarray(
            small[key].todense() if scipy.sparse.issparse(small[key]) else small[key]
        )
        if kind in ("matrix", "dense"):
            stored[key] = np.matrix(dense) if kind == "matrix" else dense
        else:
            make = getattr(scipy.sparse, kind if "_" in kind else f"{kind}_matrix")
            stored[key] = make(dense)
    if kind == "matrix":
        stored |= {
            key: np.matrix(small[key]) for key in ("v_template", "weights", "kintree_table")
        }
    path = tmp_path / "body.pkl"
    path.write_bytes(pickle.dumps(stored, protocol))
    loaded = load_smpl_file(path)
    for key in SHAPES:
        assert (loaded[key] != small[key]).sum() == 0, key
        assert not isinstance(loaded[key], np.matrix)


class Chumpy:
    """Pickled as a `chumpy.ch.Ch`, as in the official files of SMPL."""

    def __init__(self, values):
        self.x, self._dirty_vars, self._itr = values, set(), None


def with_chumpy(content):
    """Pickles `content`, in which `Chumpy` is called by the name of chumpy's class."""
    name = f"c{Chumpy.__module__}\nChumpy\n".encode()
    return pickle.dumps(content, 2).replace(name, b"cchumpy.ch\nCh\n")


def test_300_betas_of_chumpy_count_as_their_first_ten(small, tmp_path, rng):
    many = np.concatenate([small["shapedirs"], rng.normal(size=(120, 3, 290))], axis=2)
    official = {**small, "shapedirs": Chumpy(many), "bs_style": "lbs", "bs_type": "lrotmin"}
    official |= {key: Chumpy(small[key]) for key in ("v_template", "posedirs", "weights")}
    path, ten = tmp_path / "body.pkl", tmp_path / "ten.pkl"
    path.write_bytes(with_chumpy(official))
    ten.write_bytes(pickle.dumps(small, 2))
    np.testing.assert_array_equal(load_smpl_file(path)["shapedirs"], many)
    beta, theta = rng.normal(size=(2, 10)), rng.normal(size=(2, 72)) * 0.3
    for a, b in zip(SMPL(path)(beta, theta, True), SMPL(ten)(beta, theta, True), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(load_rig(path), load_rig(ten), strict=True):
        np.testing.assert_array_equal(a, b)


def npz_of(body, **others):
    file = io.BytesIO()
    dense = {k: v.toarray() if scipy.sparse.issparse(v) else v for k, v in body.items()}
    np.savez(file, **dense, **others)
    return file.getvalue()


def test_the_npz_of_a_body_is_the_body(small, tmp_path):
    path = tmp_path / "SMPL_NEUTRAL.npz"
    path.write_bytes(npz_of(small, bs_style=np.array("lbs"), info=np.array([None])))
    loaded = load_smpl_file(path)
    for key in SHAPES:
        assert (loaded[key] != small[key]).sum() == 0, key


def test_python_objects_in_an_npz_are_named(small, tmp_path):
    del small["J_regressor"]
    path = tmp_path / "SMPL_NEUTRAL.npz"
    path.write_bytes(npz_of(small, J_regressor=np.array([None])))
    with pytest.raises(
        ValueError, match="lacks J_regressor; .*J_regressor it holds Python objects"
    ):
        load_smpl_file(path)


OTHERS = {
    "empty": (b"", r"empty \(0 bytes\), not an SMPL file.*Download the SMPL file"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS.*`git lfs pull`"),
    "html": (b"\n<!doctype HTML><html>", "a web page.*Log in to the site with a browser"),
    "json": (b'{"v_template": []}', "a JSON document.*Give the SMPL file"),
    "text": (b"Quota exceeded.\n", "a text file"),
    "npy": (b"\x93NUMPY\x01\x00", "a single NumPy array"),
    "gzip": (gzip.compress(b"x"), "a gzip archive.*Unpack it"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    "torch": (pickle.dumps(0x1950A86A20F9469CFC6C, 2), "a PyTorch file"),
    "zeros": (bytes(5000), "nothing but zero bytes.*Download"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_another_kind_under_the_bodys_name_is_named(tmp_path, name):
    content, cause = OTHERS[name]
    path = tmp_path / "neutral_smpl_with_cocoplus_reg.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"neutral_smpl_with_cocoplus_reg\.pkl is .*{cause}"):
        load_smpl_file(path)


def test_an_npz_and_a_zip_under_the_name_of_a_pickle_are_named(small, tmp_path):
    path = tmp_path / "body.pkl"
    path.write_bytes(npz_of(small))
    with pytest.raises(
        ValueError, match=r"NumPy arrays \(\.npz\), not .*rename it to end in \.npz"
    ):
        load_smpl_file(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("smpl/models/body.pkl", b"x")
    with pytest.raises(ValueError, match="a zip archive, not an SMPL file. Unpack it"):
        load_smpl_file(path)


@pytest.mark.parametrize(
    "joints, name", [(52, "SMPL-H"), (55, "SMPL-X"), (16, "MANO"), (5, "FLAME")]
)
def test_another_body_model_is_named(small, tmp_path, joints, name):
    other = {**small, "weights": np.zeros((120, joints)), "J_regressor": np.zeros((joints, 120))}
    with pytest.raises(
        ValueError, match=f"a model of {name}, with {joints} joints; .*Download SMPL"
    ):
        load_smpl_file(write(tmp_path, other))


def test_star_is_named(small, tmp_path):
    small["posedirs"] = np.zeros((120, 3, 93))
    with pytest.raises(ValueError, match="a model of STAR"):
        load_smpl_file(write(tmp_path, small))


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "hdf5"])
def test_mean_parameters_of_another_kind_are_named(tmp_path, name):
    content, cause = OTHERS[name]
    (tmp_path / "mean.h5").write_bytes(content)
    kind = cause.split(",")[0].split(".*")[0]
    with pytest.raises(
        ValueError, match=f"mean.h5 is not a file of mean parameters: it is .*{kind}"
    ):
        load_mean_params(tmp_path / "mean.h5")


def test_missing_mean_parameters_and_spins_lead_to_the_tool(tmp_path):
    with pytest.raises(FileNotFoundError, match="hmr_tf2.add_keypoints"):
        load_mean_params(tmp_path / "mean.h5")
    np.savez((tmp_path / "mean.h5").open("wb"), pose=np.zeros(144))
    with pytest.raises(ValueError, match="hmr_tf2.add_keypoints"):
        load_mean_params(tmp_path / "mean.h5")

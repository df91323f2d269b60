"""Claims about the allow-list unpickler: what it reads, and what it refuses without running it."""

import collections
import contextlib
import copyreg
import pathlib
import pickle
import struct
import tracemalloc

import hostile_pickles
import numpy as np
import pytest
import scipy.sparse as sp

from tfrecords_tools.pickles import budget, safe_pickle

ARRAYS = {
    "matrix": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big_endian": np.array([1, 2, 3], ">i4"),
    "empty": np.zeros((0, 3)),
    "zero_dimensional": np.array(3.5),
    "int8": np.array([1, -2], np.int8),
    "bool": np.array([True, False]),
    "text": np.array(["a", "bc"]),
    "objects": np.array([1, "x", None], object),
}
PLAIN = {"numbers": [1, 2.5, True, None, 2**80, (1, 2)], "word": "é", "set": {1, 2}}


def write(tmp_path: pathlib.Path, data: bytes) -> pathlib.Path:
    path = tmp_path / "file.pkl"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_reads_arrays_scalars_and_containers_of_every_protocol(tmp_path, protocol):
    value = {**ARRAYS, **PLAIN, "scalar": np.float32(1.5), "flag": np.bool_(True)}
    value["ordered"] = collections.OrderedDict(a=1, b=2)
    got = safe_pickle.load(write(tmp_path, pickle.dumps(value, protocol)))
    for name, want in pickle.loads(pickle.dumps(ARRAYS, protocol)).items():
        assert got[name].dtype == want.dtype and got[name].shape == want.shape, name
        assert np.array_equal(got[name], want), name
    for name in (*PLAIN, "scalar", "flag", "ordered"):
        assert got[name] == value[name] and type(got[name]) is type(value[name]), name


SPARSE = [
    getattr(sp, f"{kind}_{noun}")
    for kind in ("csc", "csr", "coo", "bsr", "dia", "lil", "dok")
    for noun in ("matrix", "array")
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", SPARSE)
def test_reads_sparse_matrices(tmp_path, protocol, kind):
    dense = np.array([[0, 1.5, 0, 3], [2, 0, 0, 0]])
    for want in (kind(dense), kind(dense.astype(np.int16)), kind(np.zeros((3, 2))), kind((0, 4))):
        got = safe_pickle.load(write(tmp_path, pickle.dumps([want, want], protocol)))
        assert type(got[0]) is kind and got[0] is got[1] and got[0].dtype.kind == want.dtype.kind
        assert np.array_equal(got[0].toarray(), want.toarray())


def test_blocks_of_a_sparse_matrix_keep_their_size(tmp_path):
    want = sp.bsr_matrix(np.arange(24.0).reshape(4, 6), blocksize=(2, 3))
    got = safe_pickle.load(write(tmp_path, pickle.dumps(want)))
    assert got.blocksize == (2, 3) and np.array_equal(got.toarray(), want.toarray())


def test_a_large_dok_matrix_is_within_the_budget(tmp_path):
    want = sp.random(24, 6890, 0.2, random_state=0).todok()
    got = safe_pickle.load(write(tmp_path, pickle.dumps(want, 2)))
    assert (got != want).nnz == 0


@pytest.mark.parametrize("kind", ["dok", "lil", "bsr", "dia"])
def test_reads_the_sparse_matrices_of_every_scipy(tmp_path, kind):
    matrix = getattr(sp, f"{kind}_matrix")(np.eye(3))
    data = pickle.dumps(matrix, 2)
    for module in (f"scipy.sparse.{kind}", f"scipy.sparse._{kind}", "scipy.sparse"):
        other = data.replace(b"scipy.sparse._%s\n" % kind.encode(), module.encode() + b"\n")
        assert np.array_equal(safe_pickle.load(write(tmp_path, other)).toarray(), np.eye(3))


def test_reads_a_dok_matrix_that_was_a_dict(tmp_path):
    """As SciPy before 1.11 wrote it: the entries come with the object, not with its state."""
    data = (
        b"\x80\x02ccopy_reg\n_reconstructor\ncscipy.sparse.dok\ndok_matrix\nc__builtin__\ndict\n"
        b"}(K\x00K\x02\x86G?\xf8\x00\x00\x00\x00\x00\x00K\x01K\x00\x86K\x02u\x87R"
        b"}(U\x06_shapeK\x02K\x03\x86U\x05dtypecnumpy\ndtype\nU\x02f8\x85Rub."
    )
    got = safe_pickle.load(write(tmp_path, data))
    assert np.array_equal(got.toarray(), [[0, 0, 1.5], [2, 0, 0]])


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("module", [None, "numpy.matrixlib.defmatrix", "numpy.core.defmatrix"])
def test_reads_a_numpy_matrix_as_an_array(tmp_path, protocol, module):
    want = np.matrix(np.arange(6.0).reshape(2, 3))
    data = pickle.dumps({"m": want, "t": want.T}, protocol)
    if module and protocol < 4:
        data = data.replace(b"cnumpy\nmatrix\n", b"c%s\nmatrix\n" % module.encode())
    got = safe_pickle.load(write(tmp_path, data))
    for name, values in (("m", want), ("t", want.T)):
        assert type(got[name]) is np.ndarray and np.array_equal(got[name], values)


def python2_array(values: np.ndarray) -> bytes:
    """The opcodes with which Python 2's cPickle and NumPy 1 wrote an array of float64."""
    text = values.astype("<f8").tobytes()
    shape = b"".join(b"K" + bytes([size]) for size in values.shape)
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01(" + shape + b"tcnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff"
        b"\xffJ\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<i", len(text)) + text + b"tb"
    )


def test_reads_chumpy_arrays_of_python_2_without_chumpy(tmp_path):
    values = np.arange(6.0).reshape(2, 3)
    data = b"\x80\x02cchumpy.ch\nCh\n)\x81}(U\x01x" + python2_array(values) + b"ub."
    got = safe_pickle.load(write(tmp_path, data))
    assert np.array_equal(np.asarray(got), values) and "chumpy.ch.Ch" in repr(got)


def test_reads_a_selection_of_chumpy(tmp_path):
    ch = b"cchumpy.ch\nCh\n)\x81}U\x01x" + python2_array(np.arange(6.0)) + b"sb"
    data = (
        b"\x80\x02cchumpy.reordering\nSelect\n)\x81}(U\x01a"
        + ch
        + b"U\x04idxs"
        + python2_array(np.array([5.0, 1.0]))
        + b"U\x0fpreferred_shape(K\x02K\x01tub."
    )
    got = safe_pickle.load(write(tmp_path, data))
    assert np.array_equal(np.asarray(got), [[5.0], [1.0]])


def test_reads_protocol_0_objects_made_by_reconstructor(tmp_path):
    data = (
        b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtR(dS'x'\n"
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\ntcnumpy"
        b"\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        b"S'\\x00\\x00\\x00\\x00\\x00\\x00\\xf8?'\ntbsb."
    )
    assert np.array_equal(np.asarray(safe_pickle.load(write(tmp_path, data))), [1.5])


@pytest.mark.parametrize("module", ["scipy.sparse.csc", "scipy.sparse._csc", "scipy.sparse"])
def test_reads_sparse_matrices_of_every_scipy(tmp_path, module):
    matrix = sp.csc_matrix(np.eye(3))
    data = pickle.dumps(matrix, 2).replace(b"scipy.sparse._csc\n", module.encode() + b"\n")
    assert np.array_equal(safe_pickle.load(write(tmp_path, data)).toarray(), np.eye(3))


def test_reads_what_chumpy_arranged_anew(tmp_path):
    ch = b"cchumpy.ch\nCh\n)\x81}U\x01x" + python2_array(np.arange(6.0)) + b"sb"
    reshaped = (
        b"cchumpy.reordering\nReshape\n)\x81}(U\x01a" + ch + b"U\x08newshapeK\x02K\x03\x86ub"
    )
    turned = b"\x80\x02cchumpy.reordering\ntranspose\n)\x81}(U\x01a" + reshaped + b"U\x04axesNub."
    got = safe_pickle.load(write(tmp_path, turned))
    assert np.array_equal(np.asarray(got), np.arange(6.0).reshape(2, 3).T)


@pytest.mark.parametrize("shape", [b"K\x02K\x02\x86", b"U\x01x", b"J\xff\xff\xff\xff\x85\x85"])
def test_an_impossible_arrangement_of_chumpy_has_no_value(tmp_path, shape):
    ch = b"cchumpy.ch\nCh\n)\x81}U\x01x" + python2_array(np.arange(6.0)) + b"sb"
    data = b"\x80\x02cchumpy.reordering\nReshape\n)\x81}(U\x01a" + ch + b"U\x08newshape" + shape
    with pytest.raises(ValueError):
        np.asarray(safe_pickle.load(write(tmp_path, data + b"ub.")))


HOSTILE = {
    "os.system": b"cos\nsystem\n(S'touch pwned'\ntR.",
    "posix.system": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x05touch\x85R.",
    "builtins.eval": b"cbuiltins\neval\n(S'1'\ntR.",
    "__builtin__.getattr": b"c__builtin__\ngetattr\n(S'a'\nS'b'\ntR.",
    "numpy.load": b"cnumpy\nload\n(S'x'\ntR.",
    "numpy.core.multiarray.fromfile": b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.",
    "numpy.testing._private.utils.runstring": b"cnumpy.testing._private.utils\nrunstring\n.",
    "scipy.sparse.save_npz": b"cscipy.sparse\nsave_npz\n.",
    "collections.OrderedDict.__init__.__globals__": (
        b"\x80\x04\x8c\x0bcollections\x8c OrderedDict.__init__.__globals__\x93."
    ),
    "chumpy.ch.Ch.__init__.__globals__": (
        b"\x80\x04\x8c\x06chumpy\x8c\x1ach.Ch.__init__.__globals__\x93."
    ),
    "inst of os.system": b"(S'touch pwned'\nios\nsystem\n.",
    "obj of os.system": b"(cos\nsystem\nS'touch pwned'\no.",
    "persistent id": b"Pevil\n.",
    "binary persistent id": b"S'evil'\nQ.",
    "copy_reg._reconstructor of os": b"ccopy_reg\n_reconstructor\n(cos\n_Environ\n",
    "reconstruct of ndarray": (
        b"ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR."
    ),
    "call of ndarray": b"cnumpy\nndarray\n(I99999999999\ntR.",
    "call of a list": b"]]R.",
    "call of a numpy.matrix": b"cnumpy\nmatrix\n(S'1 2'\ntR.",
    "reconstruct of a masked array": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy.ma.core\nMaskedArray\n(I0\ntS'b'\ntR."
    ),
    "call of dict": b"c__builtin__\ndict\n(tR.",
    "reconstruct of a dict": (
        b"ccopy_reg\n_reconstructor\n(c__builtin__\ndict\nc__builtin__\ndict\n(dtR."
    ),
    "reconstruct of a csc matrix as a dict": (
        b"ccopy_reg\n_reconstructor\n(cscipy.sparse\ncsc_matrix\nc__builtin__\ndict\n(dtR."
    ),
    "call of a dok matrix": b"cscipy.sparse\ndok_matrix\n((I9\nI9\nttR.",
    "items of a dok matrix": b"cscipy.sparse\ndok_matrix\n)\x81(I0\nI0\ntI1\ns.",
    "state of a class": b"cchumpy.ch\nCh\n}b.",
    "state of a dict": b"}}b.",
    "state of a list": b"]}S'append'\nNsb.",
    "items of an array": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntRI0\nI1\ns."
    ),
    "append to an object": b"cchumpy.ch\nCh\n)\x81S'x'\na.",
    "structured dtype": b"cnumpy\ndtype\n(S'i4,i4'\nI0\nI1\ntR.",
    "dtype of an object": b"cnumpy\ndtype\n(cchumpy.ch\nCh\nI0\nI1\ntR.",
    "encoding to a codec": b"c_codecs\nencode\n(S'x'\nS'zlib'\ntR.",
    "keyword constructor": b"\x80\x04cchumpy.ch\nCh\n)}S'a'\nI1\ns\x92.",
    "nested key": b"}" + b"(" * 5 + b"t" * 5 + b"Ns.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refuses_and_runs_nothing(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, HOSTILE[name])
    with pytest.raises((safe_pickle.UnsafePickleError, safe_pickle.BrokenPickleError)) as raised:
        safe_pickle.load(path)
    assert str(path) in str(raised.value)
    assert isinstance(raised.value, ValueError) and isinstance(raised.value, pickle.PickleError)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file.pkl"]
    if "." in name and " " not in name:
        assert isinstance(raised.value, safe_pickle.UnsafePickleError)
        assert f"`{name}`" in str(raised.value)


def test_refuses_registered_extensions(tmp_path):
    copyreg.add_extension("os", "system", 0x7FFF)
    try:
        with pytest.raises(safe_pickle.UnsafePickleError, match="extension"):
            safe_pickle.load(write(tmp_path, b"\x80\x02\x83\xff\x7f(S'x'\ntR."))
    finally:
        copyreg.remove_extension("os", "system", 0x7FFF)


def array_announcing(shape: bytes, code: bytes = b"f8", data: bytes = b"U\x04abcd") -> bytes:
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + shape + b"cnumpy\ndtype\nU\x02" + code + b"K\x00K\x01\x87R(K\x03U\x01|NNN"
        b"K\x00K\x00K\x00tb\x89" + data + b"tb."
    )


HUGE = b"I1000000000000\n\x85"


@pytest.mark.parametrize(
    "data",
    [
        array_announcing(HUGE),
        array_announcing(HUGE, b"O8", b"]"),
        array_announcing(HUGE, b"S0", b"U\x00"),
        array_announcing(b"I-1\n\x85"),
        array_announcing(b"(" + b"I4294967296\n" * 2 + b"t"),
        b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".",
        b"\x80\x04\x95" + struct.pack("<Q", 2**63 - 1) + b".",
    ],
)
def test_announced_sizes_allocate_nothing(tmp_path, data):
    with pytest.raises(safe_pickle.BrokenPickleError):
        safe_pickle.load(write(tmp_path, data))


def test_a_second_state_cannot_change_a_checked_array(tmp_path):
    data = pickle.dumps(np.arange(3.0), 2)
    state = data[data.index(b"(K\x01") : -1]
    with pytest.raises(safe_pickle.UnsafePickleError):
        safe_pickle.load(write(tmp_path, data[:-1] + state + b"."))


def test_sparse_indices_outside_the_matrix_are_refused(tmp_path):
    matrix = sp.csc_matrix(np.eye(3))
    matrix.indices[:] = [0, 1, 77]
    with pytest.raises(safe_pickle.BrokenPickleError):
        safe_pickle.load(write(tmp_path, pickle.dumps(matrix, 2)))


def changed(matrix, **attributes):
    """A matrix with attributes that contradict the others."""
    for name, value in attributes.items():
        matrix.__dict__[name] = value
    return matrix


class Dok:
    """Pickled as a dok matrix with these entries, which SciPy would not take."""

    def __init__(self, entries):
        self.state = {"_shape": (4, 4), "dtype": np.dtype(float), "_dict": entries}

    def __reduce__(self):
        return copyreg._reconstructor, (sp.dok_matrix, object, None), self.state


def lists(*rows):
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


EYE = np.eye(4)


@pytest.mark.parametrize(
    "matrix",
    [
        changed(sp.lil_matrix(EYE), _shape=(5, 4)),
        changed(sp.lil_matrix(EYE), _shape=(4, 3)),
        changed(sp.lil_matrix(EYE), _shape=(4, -4)),
        changed(sp.lil_matrix(EYE), _shape=(4,)),
        changed(sp.lil_matrix(EYE), _shape=[4, 4]),
        changed(sp.lil_matrix(EYE), rows=lists([0], [1], [2], [-1])),
        changed(sp.lil_matrix(EYE), rows=lists([0], [1], [2], [4])),
        changed(sp.lil_matrix(EYE), rows=lists([0], [1], [2], [1.5])),
        changed(sp.lil_matrix(EYE), rows=lists([0], [1], [2], ["x"])),
        changed(sp.lil_matrix(EYE), rows=lists([0], [1], [2], [2**70])),
        changed(sp.lil_matrix(EYE), rows=lists([0], [1], [2], [1, 2])),
        changed(sp.lil_matrix(EYE), rows=lists([0], [1], [2], (3,))),
        changed(sp.lil_matrix(EYE), rows=np.arange(4)),
        changed(sp.lil_matrix(EYE), rows=None),
        changed(sp.lil_matrix(EYE), data=lists([1.0], [1.0], [1.0], ["1"])),
        changed(sp.lil_matrix(EYE), data=lists([1.0], [1.0], [1.0], [[1.0]])),
        changed(sp.lil_matrix(EYE), data=lists([1.0], [1.0], [1.0], [None])),
        changed(sp.lil_matrix(EYE), dtype=np.dtype(object)),
        changed(sp.lil_matrix(EYE), dtype=np.dtype("U4")),
        Dok({(0, 4): 1.0}),
        Dok({(-1, 0): 1.0}),
        Dok({(0, 0): "1"}),
        Dok({(0, 0): [1.0]}),
        Dok({(0, 0, 0): 1.0}),
        Dok({"row": 1.0}),
        Dok({(0, 0.5): 1.0}),
        Dok([]),
        changed(sp.bsr_matrix(EYE), indices=np.array([0, 1, 2, 77], np.int32)),
        changed(sp.bsr_matrix(EYE), indices=np.array([0, 1, 2, -1], np.int32)),
        changed(sp.bsr_matrix(EYE), indptr=np.array([0, 1, 2, 3, 99], np.int32)),
        changed(sp.bsr_matrix(EYE), indptr=np.array([0, 3, 2, 3, 4], np.int32)),
        changed(sp.bsr_matrix(EYE), data=np.ones((4, 3, 1))),
        changed(sp.bsr_matrix(EYE), data=np.ones((4, 0, 0))),
        changed(sp.bsr_matrix(EYE), data=np.ones((2, 1, 1))),
        changed(sp.bsr_matrix(EYE), data=np.ones(4)),
        changed(sp.bsr_matrix(EYE), data=np.full((4, 1, 1), None)),
        changed(sp.dia_matrix(EYE), offsets=np.array([0, 1])),
        changed(sp.dia_matrix(EYE), offsets=np.array([2**40])),
        changed(sp.dia_matrix(EYE), offsets=[0]),
        changed(sp.dia_matrix(EYE), offsets=np.array([0.5])),
        changed(sp.dia_matrix(EYE), data=np.ones(4)),
        changed(sp.dia_matrix(EYE), data=np.ones((2, 4)), offsets=np.array([1, 1])),
        changed(sp.coo_matrix(EYE), data=np.full(4, None)),
        changed(sp.csr_matrix(EYE), _shape=(4, 2)),
        changed(sp.csr_matrix(EYE), _shape=(2**40, 4)),
    ],
)
def test_sparse_matrices_whose_parts_contradict_each_other_are_refused(tmp_path, matrix):
    with pytest.raises(ValueError, match=r"file\.pkl"):
        safe_pickle.load(write(tmp_path, pickle.dumps(matrix, 2)))


def test_every_truncation_is_refused_by_name(tmp_path):
    data = pickle.dumps({"poses": np.arange(6.0), "m": sp.csc_matrix(np.eye(2))}, 2)
    for end in range(len(data)):
        with pytest.raises(ValueError, match=r"file\.pkl"):
            safe_pickle.load(write(tmp_path, data[:end]))


def test_garbage_never_escapes_as_another_error(tmp_path):
    rng = np.random.default_rng(0)
    good = pickle.dumps({"poses": np.arange(6.0), "m": sp.csc_matrix(np.eye(2))}, 2)
    for _ in range(1000):
        data = bytearray(good)
        for position in rng.integers(0, len(data), 3):
            data[position] = rng.integers(256)
        try:
            safe_pickle.load(write(tmp_path, bytes(data)))
        except ValueError as error:
            assert "file.pkl" in str(error)


def test_a_folder_and_a_missing_file_are_os_errors(tmp_path):
    for path in (tmp_path, tmp_path / "none.pkl"):
        with pytest.raises(OSError, match=path.name):
            safe_pickle.load(path)


def test_a_chumpy_expression_cannot_be_read_but_loads(tmp_path):
    data = b"\x80\x02cchumpy.ch_ops\nadd\n)\x81}U\x01aK\x01sb."
    value = safe_pickle.load(write(tmp_path, data))
    with pytest.raises(ValueError, match=r"chumpy\.ch_ops\.add"):
        np.asarray(value)


def test_a_chumpy_array_that_contains_itself_has_no_value(tmp_path):
    data = b"\x80\x02cchumpy.ch\nCh\n)\x81q\x00}U\x01xh\x00sb."
    with pytest.raises(ValueError, match="contains itself"):
        np.asarray(safe_pickle.load(write(tmp_path, data)))


def test_a_file_of_python_2_with_chumpy_and_scipy_loads_exactly():
    golden = pathlib.Path(__file__).parents[1] / "golden"
    got = safe_pickle.load(golden / "py2_smpl_seed0_p2.pkl")
    with np.load(golden / "small_body_0.npz") as want:
        for name, values in want.items():
            value = got[name].toarray() if sp.issparse(got[name]) else np.asarray(got[name])
            assert np.array_equal(value, values), name


GREEDY = hostile_pickles.all_pickles([300, 20_000])


@pytest.mark.parametrize("family, size", GREEDY)
def test_hostile_files_take_memory_in_proportion_to_their_size(tmp_path, family, size):
    """At most the budget of small files and a small multiple of their own size."""
    data = GREEDY[family, size]
    path = write(tmp_path, data)
    tracemalloc.start()
    try:
        with contextlib.suppress(ValueError):
            safe_pickle.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * (budget.LEAST_BYTES + budget.BYTES_PER_BYTE * len(data))


@pytest.mark.parametrize("family", hostile_pickles.SMALL)
def test_small_files_that_stand_for_endless_ones_are_refused_in_few_words(tmp_path, family):
    with pytest.raises(ValueError) as refusal:
        safe_pickle.load(write(tmp_path, hostile_pickles.SMALL[family]))
    assert "file.pkl" in str(refusal.value) and len(str(refusal.value)) < 500


@pytest.mark.parametrize("family", ["colliding keys", "colliding elements", "colliding places"])
def test_numbers_that_hash_alike_are_refused(tmp_path, family):
    with pytest.raises(ValueError, match="dictionary key|beyond its own size"):
        safe_pickle.load(write(tmp_path, GREEDY[family, 20_000]))


def test_a_damaged_file_is_described_and_not_the_reader(tmp_path):
    for data in (b"\x80\x02.", b"a.", b"\x80\x02h\x07.", b"}."[1:]):
        with pytest.raises(safe_pickle.BrokenPickleError, match="its content makes no sense"):
            safe_pickle.load(write(tmp_path, data))


def test_a_large_list_of_numbers_is_well_within_the_budget(tmp_path):
    for value in (list(range(200)) * 2000, [0.5] * 100_000, {f"k{n}": [n] for n in range(50_000)}):
        assert safe_pickle.load(write(tmp_path, pickle.dumps(value, 2))) == value

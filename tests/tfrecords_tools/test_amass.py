"""Claims about AMASS: which files, frames and numbers are taken, and what damage costs."""

import pickle
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools import datasets, manifest, npz_arrays, records
from tfrecords_tools.convert import convert
from tfrecords_tools.images import BadSampleError
from tfrecords_tools.plan import ConversionError
from tfrecords_tools.readers import amass, mosh
from tfrecords_tools.verification import verify

RNG = np.random.default_rng(0)
POSES = RNG.normal(0, 0.3, (48, 156))
BETAS = RNG.normal(0, 1, 16)


def write(path, **changes):
    """A sequence of 48 frames at 120 per second; None takes an array out."""
    values = {
        "poses": POSES, "betas": BETAS, "trans": POSES[:, :3], "dmpls": POSES[:, :8],
        "gender": "neutral", "mocap_framerate": np.array(120.0), **changes,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: value for name, value in values.items() if value is not None})
    return path


def parsed(folder) -> list[dict]:
    (path,) = folder.glob("mocap_amass/amass_*.tfrecord")
    rows = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return [tf.io.parse_single_example(row, records.mocap_spec()) for row in rows]


def test_records_hold_the_body_and_ten_betas_at_10_per_second(tmp_path, settings):
    write(tmp_path / "raw" / "CMU" / "01" / "01_01_poses.npz")
    made = convert(settings(tmp_path / "out", "amass", amass_dir=str(tmp_path / "raw")))
    assert made.examples == {"amass": 4}
    rows = {tuple(row["pose"].numpy()) for row in parsed(tmp_path / "out")}
    expected = np.zeros((4, 72), np.float32)
    expected[:, :66] = POSES[::12, :66]
    assert rows == set(map(tuple, expected))
    for row in parsed(tmp_path / "out"):
        np.testing.assert_array_equal(row["shape"], BETAS[:10].astype(np.float32))


def test_the_trainer_finds_the_records_and_verify_accepts_them(tmp_path, settings, amass):
    convert(settings(tmp_path, "amass"))
    (path,) = datasets.find_files(tmp_path, ["amass"])["amass"]
    assert "amass" in datasets.MOCAP_DATASETS and manifest.count_examples([path]) == 2
    assert verify(tmp_path).faults == ()


def test_files_are_found_at_any_depth_and_others_are_none(tmp_path):
    for name in (
        "a_poses.npz", "set/subject/b_stageii.npz", "set/x/y/z/C_POSES.npz", "person0_poses.npz",
        "set/subject/shape.npz", "set/neutral_stagei.npz", "set/._a_poses.npz", "LICENSE.txt",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "set" / "circle").symlink_to(tmp_path)
    files, others = amass.sequence_files(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in files] == [
        "a_poses.npz", "person0_poses.npz", "set/subject/b_stageii.npz", "set/x/y/z/C_POSES.npz"
    ]  # fmt: skip
    assert [path.name for path in others] == ["LICENSE.txt", "neutral_stagei.npz", "shape.npz"]


@pytest.mark.parametrize("rate", [25, 30, 50, 59.94, 60, 100, 119.88, 120, 150, 240, 250, 1000])
def test_the_frames_kept_are_those_nearest_to_multiples_of_a_tenth_of_a_second(rate):
    kept = amass.thinned(1234, rate)
    times = np.arange(1234) / rate
    wanted = np.arange(0, times[-1] + 1e-9, 0.1)
    for time, number in zip(wanted, kept, strict=False):
        assert abs(times[number] - time) <= np.abs(times - time).min() + 1e-9
    assert len(kept) in (len(wanted), len(wanted) + 1)  # the last may lie just before its time
    assert len(set(kept)) == len(kept)


@pytest.mark.parametrize("rate", [0.5, 9.99, 10])
def test_slow_sequences_keep_every_frame(rate):
    assert list(amass.thinned(7, rate)) == list(range(7))


@pytest.mark.parametrize(
    "changes",
    [
        {"mocap_framerate": None, "mocap_frame_rate": 120},
        {"mocap_framerate": np.array([120.0])},
        {"mocap_framerate": np.array(120, np.int16)},
        {"mocap_framerate": "120.0"},
        {"betas": BETAS[:10]},
        {"betas": np.pad(BETAS, (0, 284))},
        {"betas": np.tile(BETAS, (48, 1))},
        {"betas": BETAS[None]},
        {"poses": POSES.astype(np.float64), "gender": np.array(b"female", dtype=object)},
        {"poses": np.asfortranarray(POSES)},
        {"poses": POSES.astype(">f8")},
        {"poses": np.pad(POSES, ((0, 0), (0, 9)))},
        {"poses": POSES[:, :72]},
        {"poses": POSES[:, :66]},
        {"poses": POSES.reshape(48, 52, 3)},
        {"poses": None, "root_orient": POSES[:, :3], "pose_body": POSES[:, 3:66]},
        {
            "poses": None,
            "root_orient": POSES[:, :3],
            "pose_body": POSES[:, 3:66],
            "pose_hand": POSES[:, 66:],
            "gender": None,
            "labels": np.array(["C7", None], dtype=object),
        },
    ],
    ids="-".join,
)
def test_all_forms_of_a_sequence_give_the_same_rows(tmp_path, changes):
    expected = amass.read_rows(write(tmp_path / "a_poses.npz"))
    assert expected.shape == (4, 82) and expected.dtype == np.float32
    got = amass.read_rows(write(tmp_path / "b_stageii.npz", **changes))
    np.testing.assert_array_equal(got, expected)


def with_nan(values):
    damaged = values.copy()
    damaged.flat[5] = np.nan  # in a frame that would not be kept, too
    return damaged


UNUSABLE = {
    "no poses": ({"poses": None}, "expected `poses`, or `root_orient` with `pose_body`"),
    "a part only": ({"poses": None, "root_orient": POSES[:, :3]}, "expected `poses`"),
    "unequal parts": (
        {"poses": None, "root_orient": POSES[:9, :3], "pose_body": POSES[:, 3:66]},
        "",
    ),
    "no frame": ({"poses": POSES[:0]}, "it holds no frame"),
    "few columns": ({"poses": POSES[:, :63]}, r"got \[48, 63\]"),
    "no root": ({"poses": POSES[:, :69]}, r"got \[48, 69\]"),
    "matrices": ({"poses": np.zeros((48, 24, 3, 3))}, r"got \[48, 24, 3, 3\]"),
    "one number": ({"poses": np.array(1.0)}, r"got \[\]"),
    "text": ({"poses": np.array(["a"])}, "`poses` holds no numbers"),
    "absurd rate": ({"mocap_framerate": 1e9}, "is 1e\\+09, expected a positive number"),
    "objects": (
        {"poses": POSES.astype(object)},
        "`poses` cannot be read: it holds Python objects",
    ),
    "NaN": ({"poses": with_nan(POSES)}, "poses: expected finite numbers"),
    "degrees": ({"poses": POSES * 1000}, "poses: expected numbers from -100 to 100"),
    "no betas": ({"betas": None}, "expected `betas`"),
    "few betas": ({"betas": BETAS[:9]}, r"at least 10 betas, got \[9\]"),
    "NaN in betas": ({"betas": with_nan(BETAS)}, "betas: expected finite"),
    "no rate": ({"mocap_framerate": None}, "expected `mocap_framerate`, the frames per second"),
    "rate 0": ({"mocap_framerate": 0}, "`mocap_framerate` is 0, expected a positive"),
    "rate NaN": ({"mocap_framerate": np.nan}, "is nan, expected"),
    "rate infinite": ({"mocap_framerate": np.inf}, "is inf, expected"),
    "rate negative": ({"mocap_framerate": -120}, "is -120, expected"),
    "two rates": ({"mocap_framerate": [120, 60]}, "holds 2 numbers, expected one"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_sequence_that_lacks_something_is_skipped_with_the_reason(tmp_path, name):
    changes, message = UNUSABLE[name]
    path = write(tmp_path / "a_poses.npz", **changes)
    with pytest.raises(BadSampleError, match=f"a_poses.npz.*{message}"):
        amass.read_rows(path)


def damaged(kind, good: bytes) -> bytes:
    return {
        "cut off": good[:5000],
        "empty": b"",
        "a page": b"<html>Sign in to download</html>",
        "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "an .npy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'}",
        "changed": good[:9000] + b"!!!!" + good[9004:],
    }[kind]


@pytest.mark.parametrize("kind", ["cut off", "empty", "a page", "a pointer", "an .npy", "changed"])
def test_damage_is_skipped_and_named(tmp_path, kind):
    path = write(tmp_path / "a_poses.npz")
    path.write_bytes(damaged(kind, path.read_bytes()))
    with pytest.raises(BadSampleError, match=r"a_poses\.npz.*it is no whole \.npz file"):
        amass.read_rows(path)


def test_no_array_is_unpacked_that_announces_more_than_the_file_can_hold(tmp_path):
    path = tmp_path / "bomb.npz"
    header = (
        b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 156), }"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("poses.npy", "w") as file:
            file.write((header % 160_000).ljust(127) + b"\n")
            for _ in range(200):
                file.write(bytes(1 << 20))
    with pytest.raises(
        ValueError, match="`poses` announces 209,715,328 bytes, but the file holds"
    ):
        npz_arrays.read_arrays(path, ["poses"])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("poses.npy", (header % 10**12).ljust(127) + b"\n" + bytes(100))
    with pytest.raises(ValueError, match=r"shape \(1000000000000, 156\) .* has 100 bytes of data"):
        npz_arrays.read_arrays(path, ["poses"])


def test_objects_are_refused_and_nothing_of_theirs_runs(tmp_path, monkeypatch):
    class Runs:
        def __reduce__(self):
            return (print, ("ran",))

    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("a pickle was read"))
    path = write(tmp_path / "a_poses.npz", poses=np.array([Runs()], dtype=object))
    with pytest.raises(BadSampleError, match="Python objects"):
        amass.read_rows(path)


def test_unusable_files_do_not_end_a_conversion_however_many_they_are(tmp_path, settings, caplog):
    root = tmp_path / "raw"
    write(root / "good_poses.npz", gender="female")
    write(root / "nan_poses.npz", poses=with_nan(POSES))
    (root / "empty_stageii.npz").touch()
    made = convert(settings(tmp_path / "out", "amass", amass_dir=str(root)))
    assert made.examples == {"amass": 4} and "2 sequence unusable" in str(made)
    found = manifest.load(tmp_path / "out" / "mocap_amass" / "amass.manifest.json")
    assert found.skipped == {"sequence unusable": 2} and len(found.faults) == 2
    for name in ("nan_poses.npz: poses: expected finite", "empty_stageii.npz: it is no whole"):
        assert name in caplog.text and name in "".join(found.faults)
    assert "of 1 sequences, 1 with the female body were fitted" in caplog.text
    again = convert(settings(tmp_path / "out", "amass", amass_dir=str(root)))
    assert "was complete" in str(again)
    assert not list((tmp_path / "out").rglob(".*"))


def test_a_conversion_of_nothing_usable_says_why(tmp_path, settings):
    root = tmp_path / "raw"
    write(root / "a_poses.npz", mocap_framerate=None)
    with pytest.raises(
        ConversionError, match=r"none of 1 sequences.*a_poses.npz: expected `mocap"
    ):
        convert(settings(tmp_path / "out", "amass", amass_dir=str(root)))
    (root / "a_poses.npz").rename(root / "shape.npz")
    with pytest.raises(
        ConversionError, match=r"no sequence: expected .*_stageii.npz.*: shape.npz"
    ):
        convert(settings(tmp_path / "out", "amass", amass_dir=str(root)))
    with pytest.raises(ConversionError, match="--amass_dir is not set"):
        convert(settings(tmp_path / "out", "amass", amass_dir=None))


@pytest.mark.parametrize(
    ("value", "gender"),
    [("female", "female"), (b"male", "male"), ("b'female'", "female"), ("neutral", "neutral"),
     (None, "neutral"), (np.array("male", dtype=object), "neutral")],
)  # fmt: skip
def test_the_gender_is_read_in_whatever_form(tmp_path, value, gender):
    assert amass.read_gender(write(tmp_path / "a_poses.npz", gender=value)) == gender


def test_mosh_files_of_other_bodies_are_read_too(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"poses": POSES, "betas": BETAS}, 2))
    rows = mosh.read_rows(path)
    np.testing.assert_array_equal(rows[:, :66], POSES[:, :66].astype(np.float32))
    assert not rows[:, 66:72].any()
    np.testing.assert_array_equal(rows[:, 72:], np.tile(BETAS[:10], (48, 1)).astype(np.float32))
    path.write_bytes(pickle.dumps({"poses": POSES[:, :72], "betas": np.zeros(300)}, 2))
    np.testing.assert_array_equal(mosh.read_rows(path)[:, :72], POSES[:, :72].astype(np.float32))


def test_one_damaged_mosh_file_is_skipped_where_the_others_are_many(tmp_path, settings, caplog):
    folder = tmp_path / "raw" / "neutrSMPL_CMU" / "01"
    folder.mkdir(parents=True)
    poses = np.tile(POSES[:, :72], (5, 1))
    for name in ("a", "c"):
        values = {"poses": poses, "betas": np.zeros(10)}
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(values, 2))
    (folder / "b.pkl").write_bytes(b"\x80\x02 damaged")
    made = convert(settings(tmp_path / "out", "mosh", mosh_dir=str(tmp_path / "raw")))
    assert made.examples == {"mosh/CMU": 480} and "sequence damaged" in str(made)
    assert "b.pkl" in caplog.text

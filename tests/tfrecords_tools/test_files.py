"""Claims about `files`: whole or not at all, whatever ends the writing."""

import errno
import gc
import hashlib
import multiprocessing
import os
import pathlib
import resource
import stat
import threading

import h5py
import numpy as np
import pytest

from tfrecords_tools import files

NAMES = [
    "a.json",
    "with spaces.txt",
    "größe-人.npz",
    "no_suffix",
    ".hidden",
    "many.dots.tar.gz",
    "star*[1]?.txt",
    "n" * 251 + ".txt",
    "人" * 85,  # 255 bytes, of three each
]


def names_in(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def file_limit():
    """A file that may not grow past this stands for a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_that_the_system_takes_is_written(tmp_path, name):
    for content in (b"old", b"new\r\n\0"):
        files.write_bytes(tmp_path / name, content)
        assert (tmp_path / name).read_bytes() == content
    assert names_in(tmp_path) == [name]


def test_a_relative_path_is_of_the_folder_where_the_writing_began(tmp_path, monkeypatch):
    (tmp_path / "begun").mkdir()
    monkeypatch.chdir(tmp_path / "begun")
    with files.replacing("a.txt") as partial:
        os.chdir(tmp_path)
        partial.write_text("content")
    assert (tmp_path / "begun" / "a.txt").read_text() == "content"
    files.write_text("b.txt", "content")
    files.put_in_place("b.txt", "c.txt")
    assert names_in(tmp_path) == ["begun", "c.txt"]


def test_the_temporary_is_hidden_in_the_same_folder_and_no_pattern_takes_it(tmp_path):
    with files.replacing(tmp_path / "train_000.tfrecord") as partial:
        partial.touch()
        assert partial.parent == tmp_path and partial.name.startswith(".train_000.tfrecord.")
        assert list(tmp_path.rglob("*.tfrecord")) == []


@pytest.mark.parametrize("name", ["a.mp4", "n" * 251 + ".mp4"])
def test_a_writer_that_goes_by_the_suffix_gets_it(tmp_path, name):
    with files.replacing(tmp_path / name, keep_suffix=True) as partial:
        assert partial.suffix == ".mp4" and partial.name.startswith(".")
        partial.touch()
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_error_in_the_block_leaves_the_old_file_and_nothing_else(tmp_path, error):
    files.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(error):
        with files.replacing(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            raise error
    assert names_in(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_ctrl_c_while_the_file_is_flushed_leaves_the_old_file(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    files.write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write_text(tmp_path / "a.txt", "new")
    assert names_in(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_content_is_on_the_disk_before_the_name_and_the_name_after_it(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor):
        status = os.fstat(descriptor)
        what = "folder" if stat.S_ISDIR(status.st_mode) else f"{status.st_size} bytes"
        calls.append(f"flush {what}")
        fsync(descriptor)

    def noted_replace(source, target):
        calls.append(f"rename to {os.path.basename(target)}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    files.write_bytes(tmp_path / "a", b"seven b")
    assert calls == ["flush 7 bytes", "rename to a", "flush folder"]


def test_a_system_that_cannot_flush_folders_still_gets_the_file(tmp_path, monkeypatch):
    fsync = os.fsync

    def only_files(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    files.write_text(tmp_path / "a.txt", "content")
    assert (tmp_path / "a.txt").read_text() == "content"


@pytest.mark.parametrize("where", ["write", "fsync"])
def test_a_full_disk_is_one_sentence_that_names_the_file(tmp_path, monkeypatch, where):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    if where == "write":
        monkeypatch.setattr(pathlib.Path, "write_bytes", full_disk)
    else:
        monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError) as caught:
        files.write_text(path, "new")
    assert str(caught.value) == f"{path} cannot be written: No space left on device."
    assert names_in(tmp_path) == ["a.txt"]
    assert path.read_text() == "old"


def write_arrays(path):
    with files.replacing(path) as partial, open(partial, "wb") as file:
        np.savez(file, values=np.zeros(100_000))


def write_hdf5(path):
    with files.replacing(path) as partial, h5py.File(partial, "w") as file:
        file["values"] = np.zeros(100_000)


@pytest.mark.parametrize(
    "write", [write_arrays, write_hdf5, lambda path: files.write_bytes(path, bytes(100_000))]
)
def test_no_room_for_all_of_it_leaves_nothing(tmp_path, file_limit, write):
    file_limit(50_000)
    with pytest.raises(OSError, match="a.data cannot be written: File too large.$"):
        write(tmp_path / "a.data")
    assert names_in(tmp_path) == []


def test_a_folder_that_is_not_there_is_told_and_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match="^new/a.txt cannot be written: No such file or directory.$"):
        files.write_text("new/a.txt", "content")
    assert names_in(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OSError, match="locked/a.txt cannot be written: Permission denied.$"):
        files.write_text(tmp_path / "locked" / "a.txt", "content")


@pytest.mark.parametrize("name", ["taken", "", "."])
def test_a_folder_is_not_replaced_by_a_file(tmp_path, monkeypatch, name):
    (tmp_path / "taken").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=f"^{name} cannot be written: Is a directory.$"):
        files.write_text(name, "content")
    assert names_in(tmp_path) == ["taken"]


def test_a_block_that_writes_nothing_is_told(tmp_path):
    with pytest.raises(OSError, match="a.txt cannot be written: No such file"):
        with files.replacing(tmp_path / "a.txt"):
            pass


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "No such file", "in.mp4"), OSError("a.jpg is cut")]
)
def test_errors_about_something_else_stay_as_they_are(tmp_path, error):
    with pytest.raises(OSError) as caught:
        with files.replacing(tmp_path / "a.txt"):
            raise error
    assert caught.value is error


def test_text_that_the_encoding_lacks_opens_no_file(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        files.write_text(tmp_path / "a.txt", "ä", encoding="ascii")
    assert names_in(tmp_path) == []
    files.write_text(tmp_path / "a.txt", "ä", encoding="ascii", errors="replace")
    assert (tmp_path / "a.txt").read_bytes() == b"?"


def write_often(path, letter):
    for _ in range(30):
        files.write_text(path, letter * 100_000)


@pytest.mark.parametrize("kind", [threading.Thread, multiprocessing.Process])
def test_of_writers_of_one_file_each_leaves_it_whole(tmp_path, kind):
    path = tmp_path / "a.txt"
    files.write_text(path, "c" * 100_000)
    writers = [kind(target=write_often, args=(path, letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_text())
    for writer in writers:
        writer.join()
    assert {len(text) for text in seen} == {100_000}
    assert all(len(set(text)) == 1 for text in seen)
    assert names_in(tmp_path) == ["a.txt"]


def test_a_file_gets_the_rights_that_any_new_file_gets(tmp_path):
    files.write_text(tmp_path / "a.txt", "content")
    (tmp_path / "b.txt").write_text("content")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_folder_appears_with_all_that_is_in_it(tmp_path):
    with files.making_folder(tmp_path / "1") as partial:
        (partial / "variables").mkdir()
        (partial / "variables" / "a").write_text("content")
        assert partial.parent == tmp_path and partial.name.startswith(".1.")
        assert not (tmp_path / "1").exists()
    assert names_in(tmp_path) == ["1"]
    assert (tmp_path / "1" / "variables" / "a").read_text() == "content"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_nothing_of_a_folder(tmp_path, error):
    with pytest.raises(error):
        with files.making_folder(tmp_path / "1") as partial:
            (partial / "a").write_text("content")
            raise error
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("flush, flushed_before", [(True, 4), (False, 0)])
def test_all_of_a_folder_is_on_the_disk_before_its_name(
    tmp_path, monkeypatch, flush, flushed_before
):
    calls = []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda file: (calls.append("flush"), fsync(file)))
    monkeypatch.setattr(os, "rename", lambda *names: (calls.append("rename"), rename(*names)))
    with files.making_folder(tmp_path / "1", flush=flush) as partial:
        (partial / "sub").mkdir()
        (partial / "a").write_text("a")
        (partial / "sub" / "b").write_text("b")
    # Two files and two folders, and at the end the folder above.
    assert calls == ["flush"] * flushed_before + ["rename", "flush"]


def test_a_folder_that_came_in_between_is_kept(tmp_path):
    with pytest.raises(OSError, match="1 cannot be written: Directory not empty.$"):
        with files.making_folder(tmp_path / "1") as partial:
            (partial / "a").write_text("mine")
            (tmp_path / "1").mkdir()
            (tmp_path / "1" / "a").write_text("theirs")
    assert names_in(tmp_path) == ["1"]
    assert (tmp_path / "1" / "a").read_text() == "theirs"


def test_a_full_disk_inside_a_folder_names_the_folder(tmp_path, file_limit):
    file_limit(1000)
    with pytest.raises(OSError, match="/1 cannot be written: File too large.$"):
        with files.making_folder(tmp_path / "1") as partial:
            (partial / "a").write_bytes(bytes(2000))
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["a.txt", "n" * 255, "star*[1].txt"])
def test_only_what_killed_writers_of_this_path_left_is_removed(tmp_path, name):
    path = tmp_path / name
    files.partial_path(path).touch()
    files.partial_path(path, keep_suffix=True).touch()
    files.partial_path(path).mkdir()
    kept = sorted([name, ".a.txt.partial", f".{name[:99]}.note"])
    for other in kept:
        (tmp_path / other).touch()
    others = files.partial_path(tmp_path / "b.txt")
    others.touch()
    files.remove_leftovers(path)
    assert names_in(tmp_path) == sorted([*kept, others.name])


def test_the_sha256_is_that_of_the_content(tmp_path):
    content = os.urandom(3 << 20)
    files.write_bytes(tmp_path / "a", content)
    assert files.sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_a_fingerprint_changes_with_name_size_and_content_and_not_with_place(tmp_path):
    def print_of(folder, name, content, **options):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return files.fingerprint(tmp_path / folder, [path], **options)

    first = print_of("one", "a", b"123")
    assert print_of("two", "a", b"123") == first
    changed = {print_of("two", "b", b"123"), print_of("two", "a", b"1234")}
    changed.add(print_of("two", "a", b"124"))
    assert len(changed | {first}) == 4
    sizes = [print_of("two", "a", content, contents=False) for content in (b"123", b"124")]
    assert sizes[0] == sizes[1]


def test_of_a_large_file_the_ends_are_hashed(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_HASHED_WHOLE", 100)
    monkeypatch.setattr(files, "_HASHED_ENDS", 10)
    path = tmp_path / "a"
    found = []
    for position in (None, 3, 60, 115):
        content = bytearray(120)
        if position is not None:
            content[position] = 1
        path.write_bytes(content)
        found.append(files.fingerprint(tmp_path, [path]))
    assert found[2] == found[0] and len(set(found)) == 3


def test_arrays_are_written_as_numpy_writes_them(tmp_path):
    arrays = {
        "a": np.arange(12.0).reshape(3, 4).T,
        "none": np.zeros((0, 3)),
        "text": np.array("ä"),
    }
    files.write_npz(tmp_path / "a.npz", **arrays)
    with np.load(tmp_path / "a.npz") as file:
        assert set(file) == set(arrays)
        for name, value in arrays.items():
            np.testing.assert_array_equal(file[name], value)


def test_arrays_without_room_are_one_error_and_leave_the_old_ones(tmp_path, file_limit, capsys):
    path = tmp_path / "a.npz"
    files.write_npz(path, a=np.zeros(3))
    file_limit(1000)
    with pytest.raises(files.NotWrittenError, match="a.npz cannot be written: File too large."):
        files.write_npz(path, a=np.zeros(3), b=np.zeros(10_000))
    gc.collect()
    assert capsys.readouterr().err == "", "zip files that are dropped say nothing"
    assert names_in(tmp_path) == ["a.npz"]
    with np.load(path) as file:
        assert list(file) == ["a"]


@pytest.mark.parametrize("kind", ["a file", "inside a file"])
def test_a_folder_that_cannot_be_is_noticed_and_nothing_is_made(tmp_path, kind):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(NotADirectoryError):
        files.check_folder(file if kind == "a file" else file / "new" / "er")
    assert files.check_folder(tmp_path / "new" / "er") == tmp_path / "new" / "er"
    assert names_in(tmp_path) == ["file"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_or_read_only_disk_ends_all_writing(number):
    assert files.ends_all_writing(OSError(number, ""))
    assert files.ends_all_writing(files.NotWrittenError("a", number))
    assert not files.ends_all_writing(files.NotWrittenError("a", errno.EACCES))
    assert not files.ends_all_writing(ValueError(number))

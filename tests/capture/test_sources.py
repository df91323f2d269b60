"""What --img_path means, and the frames of videos."""

import numpy as np
import pytest

from hmr_tf2.capture import sources
from hmr_tf2.visualization.video_file import video_writer


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    with video_writer(path, (64, 48), 12.5) as append:
        for k in range(6):
            append(np.full((48, 64, 3), 40 * k, np.uint8))
    return path


def test_a_folder_means_its_pictures_and_videos_in_order(tmp_path):
    for name in ("b.PNG", "a.jpg", "c.mp4", "notes.txt", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    found = sources.find_files(str(tmp_path))
    assert [p.name for p in found] == ["a.jpg", "b.PNG", "c.mp4"]
    assert [sources.is_video(p) for p in found] == [False, False, True]


def test_what_is_left_out_of_a_folder_is_named_with_the_reason(tmp_path, caplog):
    names = [
        "a.jpg",
        "b.Heic",
        "c.txt",
        "d.txt",
        "e",
        "f.CR2",
        ".DS_Store",
        "Thumbs.db",
        "._a.jpg",
    ]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing")
    found = sources.find_files(str(tmp_path))
    assert [p.name for p in found] == ["a.jpg", "b.Heic"]
    (record,) = caplog.records
    assert record.getMessage() == (
        f"--img_path={tmp_path}: left out c.txt, d.txt because .txt is not the suffix of a "
        "picture or video; e because a name without a suffix such as .jpg tells no picture or "
        "video; f.CR2 because a camera's raw pictures must be developed first (to JPEG, say); "
        "gone.jpg because it is not a file, or a link to nothing; more because folders in it are "
        "not entered."
    )


def test_of_many_files_that_are_left_out_the_first_are_named(tmp_path, caplog):
    (tmp_path / "a.jpg").touch()
    for k in range(12):
        (tmp_path / f"{k:02}.json").touch()
    sources.find_files(str(tmp_path))
    assert "left out 00.json, 01.json, 02.json, 03.json, 04.json and 7 more because" in caplog.text


def test_a_folder_of_pictures_only_says_nothing(tmp_path, caplog):
    for name in ("a.jpg", "b.JFIF", ".DS_Store", "desktop.ini"):
        (tmp_path / name).touch()
    assert len(sources.find_files(str(tmp_path))) == 2
    assert not caplog.records


def test_a_folder_without_a_picture_says_what_it_holds(tmp_path):
    (tmp_path / "a.docx").touch()
    with pytest.raises(FileNotFoundError, match=r"no picture or video; left out a.docx because"):
        sources.find_files(str(tmp_path))


def test_a_folder_named_as_a_picture_is_none(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(FileNotFoundError, match="no picture or video"):
        sources.find_files(str(tmp_path))


def test_a_pattern_and_a_file_whose_name_looks_like_one(tmp_path):
    for name in ("a1.jpg", "a2.jpg", "a[1].jpg"):
        (tmp_path / name).touch()
    assert [p.name for p in sources.find_files(f"{tmp_path}/a?.jpg")] == ["a1.jpg", "a2.jpg"]
    assert [p.name for p in sources.find_files(f"{tmp_path}/a[1].jpg")] == ["a[1].jpg"]


@pytest.mark.parametrize("name", ["none.jpg", "*.jpg"])
def test_what_is_not_there_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="--img_path=.*no such file"):
        sources.find_files(str(tmp_path / name))


def test_a_video_gives_its_frames_and_their_rate(film):
    assert sources.video_info(film) == ((64, 48), 12.5, 6)
    levels = [frame.mean() for frame in sources.frames(film)]
    np.testing.assert_allclose(levels, 40 * np.arange(6), atol=4)
    assert len(list(sources.frames(film, 2))) == 2


@pytest.mark.parametrize("content", [b"", b"no video", None])
def test_a_file_that_is_no_video_is_named(film, content):
    whole = film.read_bytes()
    film.write_bytes(whole[:500] if content is None else content)
    with pytest.raises(ValueError, match="film.mp4"):
        sources.video_info(film)


def test_a_video_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no video at .*none.mp4"):
        sources.video_info(tmp_path / "none.mp4")

"""Video files as a player shows them: upright, with square pixels, at true times, all of them."""

import numpy as np
import pytest
from film_maker import as_ffmpeg_shows, ffmpeg, make_film

from hmr_tf2.capture import sources, video_reader
from hmr_tf2.capture.video_reader import timed_frames, video_info


def read(path):
    """Times [T] and pictures [T, H, W, 3]."""
    frames = list(timed_frames(path, video_info(path).fps))
    return np.array([f.time for f in frames]), np.stack([f.picture for f in frames])


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("films") / "a.mp4", "-pix_fmt", "yuv420p")


@pytest.mark.parametrize("mirror", [(), ("-display_hflip",), ("-display_vflip",)])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_or_mirrored_video_is_upright(film, tmp_path, degrees, mirror):
    path = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", degrees, *mirror, "-i", film, "-c", "copy", path)
    size = (48, 64) if degrees % 180 else (64, 48)
    assert video_info(path).size == size
    assert next(sources.frames(path)).shape == (size[1], size[0], 3)
    got, shown = read(path)[1].astype(int), as_ffmpeg_shows(path, size)
    assert got.shape == shown.shape
    # Two versions of FFmpeg turn YUV to RGB; another turn would differ by 60 and more.
    assert np.abs(got - shown).mean() < 3


@pytest.mark.parametrize(
    "ratio, size",
    [("2/1", (128, 48)), ("1/2", (64, 96)), ("16/11", (93, 48)), ("1000/1", (64, 48))],
)
def test_pixels_become_square(tmp_path, ratio, size):
    path = make_film(tmp_path / "a.mp4", "-vf", f"setsar={ratio}:max=10000", seconds=0.3)
    assert video_info(path).size == size
    assert read(path)[1].shape[1:] == (size[1], size[0], 3)
    turned = tmp_path / "b.mp4"
    ffmpeg("-display_rotation", 90, "-i", path, "-c", "copy", turned)
    assert video_info(turned).size == size[::-1]


def test_time_stamps_decide_where_the_rate_varies(tmp_path):
    path = make_film(
        tmp_path / "v.mkv",
        *("-vf", "select='lt(t,2)+not(mod(n,6))'", "-fps_mode", "vfr"),
        rate=30,
        seconds=4,
    )
    times, _ = read(path)
    expected = [n / 30 for n in range(120) if n < 60 or n % 6 == 0]
    np.testing.assert_allclose(times, expected, atol=1e-9)
    assert video_info(path) == ((64, 48), 30.0, len(expected))


@pytest.mark.parametrize("rate, fps", [("30000/1001", 30000 / 1001), ("24000/1001", 24000 / 1001)])
@pytest.mark.parametrize("suffix", ["mkv", "mp4", "webm"])
def test_rounded_times_are_put_back_on_even_steps(tmp_path, rate, fps, suffix):
    times, _ = read(make_film(tmp_path / f"a.{suffix}", rate=rate, seconds=1))
    assert video_info(tmp_path / f"a.{suffix}").fps == pytest.approx(fps, rel=1e-6)
    np.testing.assert_allclose(times, np.arange(len(times)) / fps, atol=1e-9)


@pytest.mark.parametrize("rate", [10, 30])
def test_frames_that_refer_to_later_ones_are_in_order_in_an_avi(tmp_path, rate):
    film = make_film(tmp_path / "a.mp4", "-pix_fmt", "yuv420p", "-bf", "3", rate=rate)
    ffmpeg("-i", film, "-c", "copy", tmp_path / "a.avi")
    times, pictures = read(tmp_path / "a.avi")
    # The container may count the frames that the first one waits for as time.
    np.testing.assert_allclose(np.diff(times), 1 / rate, atol=2.1 / rate)
    assert (np.diff(times) > 0).all() and times[-1] < 2 + 3 / rate
    expected, shown = read(film)
    np.testing.assert_array_equal(pictures, shown)
    assert len(times) == len(expected)


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mpg", "avi"])
def test_all_frames_of_joined_files_are_there_and_time_goes_on(tmp_path, suffix):
    path = make_film(tmp_path / f"a.{suffix}", rate=25, seconds=1)
    (tmp_path / f"b.{suffix}").write_bytes(path.read_bytes() * 2)
    one, _ = read(path)
    both, _ = read(tmp_path / f"b.{suffix}")
    assert len(both) == 2 * len(one) == video_info(tmp_path / f"b.{suffix}").num_frames
    assert (np.diff(both) > 0).all() and both[-1] == pytest.approx(2 * one[-1] + 0.04, abs=0.09)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "flv"])
def test_joined_files_of_which_only_the_first_is_read_are_told(tmp_path, suffix, caplog):
    path = make_film(tmp_path / f"a.{suffix}", rate=25, seconds=0.4)
    assert video_info(path).num_frames == 10 and caplog.text == ""
    path.write_bytes(path.read_bytes() * 2)
    assert len(read(path)[0]) == 10
    assert f"a.{suffix} is several files joined byte by byte" in caplog.text


def test_a_file_that_is_cut_off_gives_the_frames_it_has(tmp_path):
    path = make_film(tmp_path / "a.mkv")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    times, _ = read(path)
    assert 0 < len(times) < 20 and video_info(path).num_frames == len(times)


def test_damage_in_the_middle_costs_only_the_frames_it_hits(tmp_path):
    path = make_film(tmp_path / "a.avi", "-c:v", "mjpeg", seconds=4)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 600] = bytes(600)
    path.write_bytes(data)
    assert 35 <= len(read(path)[0]) <= 40


@pytest.mark.parametrize(
    "name, codec",
    [
        *(
            ("a.mp4", "libaom-av1"),
            ("a.webm", "libvpx-vp9"),
            ("a.mov", "prores"),
            ("a.mkv", "ffv1"),
        ),
        *(("a.mp4", "libx265"), ("a.ogv", "libtheora"), ("a.wmv", "wmv2"), ("a.flv", "flv")),
        *(("a.3gp", "mpeg4"), ("a.ts", "mpeg2video"), ("a.mts", "libx264"), ("a.m2ts", "libx264")),
    ],
)
def test_codecs_and_containers_of_all_kinds_are_read(tmp_path, name, codec):
    fast = ("-cpu-used", "8") if codec == "libaom-av1" else ()
    path = make_film(tmp_path / name, "-c:v", codec, *fast, rate=25, seconds=0.4)
    assert sources.is_video(path)
    assert read(path)[1].shape == (10, 48, 64, 3)


@pytest.mark.parametrize(
    "options", [("-pix_fmt", "yuv420p10le", "-c:v", "libx265"), ("-pix_fmt", "yuvj420p")]
)
def test_ten_bits_and_full_range_keep_their_colours(tmp_path, options):
    path = make_film(tmp_path / "a.mkv", *options, seconds=0.2)
    got, shown = read(path)[1].astype(int), as_ffmpeg_shows(path, (64, 48)).astype(int)
    # Colour has half the resolution, and is interpolated in one way or another at edges.
    np.testing.assert_allclose(got.mean(axis=(1, 2)), shown.mean(axis=(1, 2)), atol=1.5)


def test_a_codec_that_nobody_knows_is_named_with_the_way_out(tmp_path):
    path = make_film(tmp_path / "a.avi", "-c:v", "mpeg4", seconds=0.2)
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"QQQQ"))
    with pytest.raises(ValueError, match=r"a.avi cannot be decoded: .*QQQQ.*ffmpeg -i"):
        video_info(path)


def test_sound_alone_is_no_video(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.2", tmp_path / "a.m4a")
    (tmp_path / "a.m4a").rename(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match="a.mp4 holds no pictures, only audio"):
        video_info(tmp_path / "a.mp4")


def test_the_cover_picture_of_a_video_is_passed_over(film, tmp_path):
    path = tmp_path / "covered.mp4"
    cover = make_film(tmp_path / "cover.png", "-frames:v", "1")
    ffmpeg("-i", cover, "-i", film, "-map", "0", "-map", "1", "-c", "copy",
           "-disposition:v:0", "attached_pic", path)  # fmt: skip
    assert video_info(path).num_frames == 20


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:2,\nsecret.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile secret.ts\n",
        b"",
        b"no video",
        bytes(5000),
    ],
)
def test_lists_that_name_other_files_and_other_texts_are_refused(tmp_path, content):
    make_film(tmp_path / "secret.ts", seconds=0.2, rate=25)
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(ValueError, match="a.mp4 is not a video that can be read, or is cut off"):
        video_info(tmp_path / "a.mp4")


def test_damaged_files_are_read_or_refused_by_name(film, tmp_path, rng):
    whole = film.read_bytes()
    path = tmp_path / "hurt.mp4"
    for _ in range(60):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 20):
            data[place] = rng.integers(256)
        path.write_bytes(bytes(data[: rng.integers(200, len(data) + 1)]))
        try:
            times, pictures = read(path)
        except ValueError as error:
            assert "hurt.mp4" in str(error) or "need at least one array" in str(error)
        else:
            assert (np.diff(times) > 0).all() and pictures.dtype == np.uint8


def test_times_that_go_back_or_lack_go_on():
    following = video_reader._following
    assert following(np.nan, 0.0, 1.0, 0.1) == (1.1, 0.0)
    assert following(0.95, 0.0, 1.0, 0.1) == (1.1, 0.0)  # disorder
    time, offset = following(0.0, 0.0, 1.0, 0.1)  # another file
    assert time == offset == 1.1
    assert following(0.1 + offset, offset, time, 0.1) == (pytest.approx(1.2), 1.1)

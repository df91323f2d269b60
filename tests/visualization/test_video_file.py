"""Videos: H.264 as browsers want it, whole or not at all."""

import json
import re
import subprocess

import av
import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from film_maker import ffmpeg, sound_of

from hmr_tf2.capture.video_reader import start_time
from hmr_tf2.visualization.soundtrack import Sound
from hmr_tf2.visualization.video_file import video_writer

# A page is not loaded before each film shows its frame: the first, and that of a moment later.
PLAYER = """<!doctype html>
<video src="a.mp4" preload="auto"></video>
<video src="a.mp4#t=0.55" preload="auto"></video><script>
function pixelOf(video) {
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  context.drawImage(video, 0, 0);
  return [...context.getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data.slice(0, 3)];
}
onload = () => {
  const films = [...document.querySelectorAll("video")], told = document.createElement("pre");
  const { videoWidth, videoHeight, duration } = films[0];
  told.textContent = JSON.stringify({
    size: [videoWidth, videoHeight], seconds: duration, pixels: films.map(pixelOf) });
  document.body.append(told);
};
</script>"""


def frames_of(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (got := capture.read())[0]:
        frames.append(got[1][..., ::-1])
    return np.stack(frames)


def pictures(count, height, width):
    """Smooth, and brighter from frame to frame."""
    ramp = np.linspace(0, 100, width).astype(np.uint8)
    picture = np.broadcast_to(ramp[:, np.newaxis], (height, width, 3))
    return [picture + np.uint8(10 * k) for k in range(count)]


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (35, 20)])
def test_frames_read_back_nearly_the_same(tmp_path, size):
    sent = pictures(6, size[1], size[0])
    with video_writer(tmp_path / "a.mp4", size, 12.5) as append:
        for picture in sent:
            append(picture)
    got = frames_of(tmp_path / "a.mp4")
    assert len(got) == 6 and got.shape[1] % 2 == got.shape[2] % 2 == 0
    inner = got[:, : size[1] - 1, : size[0] - 1].astype(int)
    assert np.abs(inner - np.stack(sent)[:, :-1, :-1]).mean() < 6
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_codec_colour_and_order_are_what_browsers_play(tmp_path):
    with video_writer(tmp_path / "a.mp4", (64, 48), 25) as append:
        for picture in pictures(3, 48, 64):
            append(picture)
    told = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", tmp_path / "a.mp4"],
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    assert "Video: h264" in told and "yuv420p" in told and "25 fps" in told
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # plays before it is loaded


@pytest.mark.parametrize("size, even", [((65, 49), [66, 50]), ((1280, 720), [1280, 720])])
def test_a_browser_plays_it_in_its_colours(in_chromium, tmp_path, size, even):
    colors = [(200, 30, 30)] * 5 + [(30, 160, 60)] * 5
    with video_writer(tmp_path / "a.mp4", size, 10) as append:
        for color in colors:
            append(np.full((size[1], size[0], 3), color, np.uint8))
    (tmp_path / "a.html").write_text(PLAYER)
    # Without this option a page may not look at the pixels of another file.
    page = in_chromium((tmp_path / "a.html").as_uri(), "--allow-file-access-from-files")
    told = json.loads(re.search("<pre>(.*?)</pre>", page)[1])
    assert told["size"] == even and told["seconds"] == pytest.approx(1.0, abs=0.01)
    # Of 8 bits two are lost on the way to 4:2:0 and back; the wrong matrix costs 20.
    np.testing.assert_allclose(told["pixels"], [colors[0], colors[-1]], atol=4)


def test_a_video_that_is_not_finished_is_not_there(tmp_path):
    with pytest.raises(KeyError):
        with video_writer(tmp_path / "a.mp4", (64, 48), 25) as append:
            append(pictures(1, 48, 64)[0])
            raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_frames_keep_the_times_they_are_given(tmp_path):
    times = [0.0, 0.04, 0.08, 0.5, 0.6, 1.9]
    with video_writer(tmp_path / "a.mp4", (64, 48), 25) as append:
        for picture, time in zip(pictures(6, 48, 64), times, strict=True):
            append(picture, time)
    with av.open(str(tmp_path / "a.mp4")) as container:
        got = [frame.time for frame in container.decode(video=0)]
        assert container.duration / 1e6 == pytest.approx(1.94, abs=0.001)
    np.testing.assert_allclose(got, times, atol=1e-5)


@pytest.mark.parametrize(
    "suffix, codec", [("mp4", "aac"), ("mkv", "libmp3lame"), ("mkv", "pcm_s16le"), ("mkv", "ac3")]
)
def test_the_sound_of_a_video_is_in_its_film_at_the_same_time(tmp_path, suffix, codec):
    """A tone that starts in the middle, so that a shift would be noticed."""
    source = tmp_path / f"source.{suffix}"
    tone = "aevalsrc='0.5*sin(2*PI*440*t)*gt(t,1)':s=44100:d=2"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=2", "-f", "lavfi", "-i", tone,
           "-c:a", codec, source)  # fmt: skip
    with video_writer(tmp_path / "a.mp4", (64, 48), 10, sound=Sound(source)) as append:
        for picture in pictures(20, 48, 64):
            append(picture)
    heard = sound_of(tmp_path / "a.mp4")
    assert len(heard) / 8000 == pytest.approx(2, abs=0.1)
    assert np.argmax(np.abs(heard) > 0.2) / 8000 == pytest.approx(1, abs=0.05)
    assert np.abs(heard[:7600]).max() < 0.05


def test_the_sound_ends_with_a_film_that_is_shorter(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=3", "-f", "lavfi", "-i",
           "sine=duration=3", "-c:a", "aac", tmp_path / "long.mp4")  # fmt: skip
    with video_writer(
        tmp_path / "a.mp4", (64, 48), 10, sound=Sound(tmp_path / "long.mp4")
    ) as append:
        for picture in pictures(5, 48, 64):
            append(picture)
    assert len(sound_of(tmp_path / "a.mp4")) / 8000 == pytest.approx(0.5, abs=0.1)


def test_the_sound_of_joined_files_goes_on(tmp_path):
    part = tmp_path / "a.ts"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=1", "-f", "lavfi", "-i",
           "sine=duration=1", part)  # fmt: skip
    (tmp_path / "b.ts").write_bytes(part.read_bytes() * 2)
    sound = Sound(tmp_path / "b.ts", start_time(tmp_path / "b.ts"))
    with video_writer(tmp_path / "a.mp4", (64, 48), 25, sound=sound) as append:
        for picture in pictures(25, 48, 64) * 2:
            append(picture)
    heard = np.abs(sound_of(tmp_path / "a.mp4"))
    assert len(heard) / 8000 == pytest.approx(2, abs=0.1) and heard[12000:15000].max() > 0.05


@pytest.mark.parametrize("rate", [4000, 11024, 192000])
def test_sound_at_a_rate_that_AAC_lacks_is_resampled(tmp_path, rate):
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1", "-f", "lavfi", "-i",
           "sine=duration=1", "-c:a", "pcm_s24le", "-ar", rate, tmp_path / "a.mkv")  # fmt: skip
    with video_writer(tmp_path / "a.mp4", (64, 48), 10, sound=Sound(tmp_path / "a.mkv")) as append:
        for picture in pictures(10, 48, 64):
            append(picture)
    assert len(sound_of(tmp_path / "a.mp4")) / 8000 == pytest.approx(1, abs=0.1)


def test_a_title_in_another_encoding_costs_no_sound_and_mp3_stays_mp3(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1", "-f", "lavfi", "-i",
           "sine=duration=1", "-c:a", "libmp3lame", "-metadata", "title=QXQX",
           tmp_path / "a.mkv")  # fmt: skip
    data = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(data.replace(b"QXQX", b"\xe9\xe8\xe9\xe8"))
    with video_writer(tmp_path / "a.mp4", (64, 48), 10, sound=Sound(tmp_path / "a.mkv")) as append:
        for picture in pictures(10, 48, 64):
            append(picture)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == "mp3"


@pytest.mark.parametrize("content", [b"", b"no sound"])
def test_a_film_whose_sound_cannot_be_read_is_written_without_it(tmp_path, content, caplog):
    (tmp_path / "source.mp4").write_bytes(content)
    with video_writer(
        tmp_path / "a.mp4", (64, 48), 10, sound=Sound(tmp_path / "source.mp4")
    ) as append:
        append(pictures(1, 48, 64)[0])
    assert len(frames_of(tmp_path / "a.mp4")) == 1
    assert "source.mp4: the film lacks its sound" in caplog.text

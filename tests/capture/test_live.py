"""A webcam is seen live: the newest frame wins, q and Ctrl-C end it, and everything is written."""

import json
import threading
import urllib.request

import cv2
import numpy as np
import pytest

from hmr_tf2 import demo, loading
from hmr_tf2.capture import live_view, sources, webcam
from hmr_tf2.capture.live_view import Page
from hmr_tf2.capture.webcam import Webcam

SIZE = (320, 240)


class FakeCamera:
    """Gives pictures, each when it is let; then none, or what it raises."""

    def __init__(self, pictures, end=None, fps=0.0):
        self.pictures, self.end, self.fps = iter(pictures), end, fps
        self.may_go_on = threading.Semaphore(0)
        self.num_read = 0
        self.is_released = False

    def read(self):
        if self.num_read:  # the first is read when the camera is opened
            self.may_go_on.acquire(timeout=10)
        picture = next(self.pictures, None)
        self.num_read += 1
        if picture is None and self.end:
            raise self.end
        return picture is not None, picture

    def get(self, which):
        return self.fps

    def release(self):
        self.is_released = True


@pytest.fixture
def open_fake(monkeypatch):
    def open_fake(*args, **kwargs):
        camera = FakeCamera(*args, **kwargs)
        monkeypatch.setattr(cv2, "VideoCapture", lambda device: camera)
        return camera

    return open_fake


def grey(*levels):
    return [np.full((SIZE[1], SIZE[0], 3), level, np.uint8) for level in levels]


def wait_for(condition):
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise TimeoutError


def test_the_newest_frame_wins_and_the_others_are_dropped(open_fake):
    camera = open_fake(grey(10, 20, 30, 40, 50))
    with Webcam(0, "webcam.mp4") as opened:
        frames = opened.frames()
        assert next(frames).picture.max() == 10
        for _ in range(3):  # three come while the first is being looked at
            camera.may_go_on.release()
        wait_for(lambda: camera.num_read == 4)
        wait_for(lambda: opened._newest[1].max() == 40)
        newest = next(frames)
        assert newest.picture.max() == 40 and newest.time > 0
        for _ in range(2):
            camera.may_go_on.release()
        assert [frame.picture.max() for frame in frames] == [50]
    assert camera.is_released


def test_a_frame_is_given_once_and_blue_and_red_change_places(open_fake):
    blue = np.zeros((4, 6, 3), np.uint8)
    blue[..., 0] = 200
    camera = open_fake([blue])
    camera.may_go_on.release()
    with Webcam(0, "webcam.mp4") as opened:
        (frame,) = opened.frames()
    np.testing.assert_array_equal(frame.picture[0, 0], [0, 0, 200])
    assert opened.info == ((6, 4), 30.0, 0) and frame.time == 0


def test_a_camera_that_fails_ends_its_frames_with_a_warning(open_fake, caplog):
    camera = open_fake(grey(10), end=RuntimeError("unplugged"))
    camera.may_go_on.release()
    with Webcam(0, "webcam.mp4") as opened:
        assert len(list(opened.frames())) == 1
    assert "Camera 0 has failed: unplugged" in caplog.text


def test_a_window_that_was_closed_ends_it(monkeypatch):
    shown = []
    monkeypatch.setattr(cv2, "imshow", lambda title, picture: shown.append(title))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: -1)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda title, what: 1.0 - len(shown))
    window = live_view.Window("Camera 0")
    assert window.show(grey(10)[0]) and not window.show(grey(10)[0])
    assert len(shown) == 1


def test_a_webcam_that_is_not_there_is_named():
    with pytest.raises(OSError, match="--webcam=99: no camera"), Webcam(99, "webcam.mp4"):
        pass


@pytest.fixture
def run(spotter, monkeypatch, tmp_path):
    """run(**flags) -> what the demo wrote for a webcam: its folder and results.json."""
    monkeypatch.setattr(loading, "load_predictor", lambda *args: spotter)

    def run(**flags):
        out = tmp_path / "out"
        demo.main(demo.DemoSettings(load_path="any", out_dir=str(out), webcam=0, **flags))
        return out, json.loads((out / "results.json").read_text())

    return run


class Always(FakeCamera):
    """A camera that is never waited for."""

    def read(self):
        self.may_go_on.release()
        return super().read()


@pytest.mark.parametrize("end", [None, KeyboardInterrupt()])
def test_all_that_a_video_gives_is_written_until_the_camera_ends(
    run, make_spot, monkeypatch, tmp_path, end
):
    spots = [make_spot(SIZE, (100 + k, 120)) for k in range(5)]
    monkeypatch.setattr(cv2, "VideoCapture", lambda device: Always(spots, end, 20.0))
    out, document = run()
    frames = document["images"]
    assert 1 <= len(frames) <= 5 and all(len(frame["people"]) == 1 for frame in frames)
    assert [frame["frame"] for frame in frames] == list(range(len(frames)))
    assert (np.diff([frame["time"] for frame in frames]) > 0).all()
    wrote = {path.name for path in (out / "webcam").iterdir()}
    assert {"overlay.mp4", "person0.bvh", "person0.glb"} <= wrote
    assert len(list(sources.frames(out / "webcam.mp4"))) == len(frames)


class Window:
    """In the place of OpenCV's window; a key is pressed after some pictures."""

    def __init__(self, monkeypatch, key, after):
        self.shown, self.key, self.after = [], key, after
        monkeypatch.setattr(cv2, "imshow", lambda title, picture: self.shown.append(picture))
        monkeypatch.setattr(cv2, "waitKey", lambda delay: ord(self.key) if self.is_time() else -1)
        monkeypatch.setattr(cv2, "destroyAllWindows", lambda: None)

    def is_time(self):
        return len(self.shown) >= 1 + self.after  # the first is the empty picture that opens it


def test_bodies_are_shown_at_once_and_q_ends_an_endless_camera(run, make_spot, monkeypatch):
    spot = make_spot(SIZE, (160, 120))

    def endless():
        while True:
            yield spot

    monkeypatch.setattr(cv2, "VideoCapture", lambda device: Always(endless()))
    monkeypatch.setattr("webbrowser.open", lambda address: None)
    window = Window(monkeypatch, "q", 3)
    _, document = run(show=True)
    assert len(document["images"]) == 3
    # The body is drawn where the spot is, and its blue comes first as OpenCV wants it.
    drawn = np.abs(window.shown[-1].astype(int) - spot[..., ::-1]).max(axis=-1) > 20
    rows, columns = np.nonzero(drawn)
    assert columns.mean() == pytest.approx(160, abs=15) and rows.mean() == pytest.approx(
        120, abs=20
    )


def test_without_a_window_a_page_shows_the_pictures_and_takes_the_q(monkeypatch):
    opened = []
    monkeypatch.setattr(live_view.webbrowser, "open", opened.append)

    def imshow(title, picture):
        raise cv2.error("The function is not implemented.")

    monkeypatch.setattr(cv2, "imshow", imshow)
    red = np.full((8, 16, 3), (200, 0, 0), np.uint8)
    with live_view.live_view("Camera 0") as view:
        (address,) = opened
        assert "Camera 0" in urllib.request.urlopen(address, timeout=10).read().decode()
        stream = urllib.request.urlopen(f"{address}stream", timeout=10)
        assert view.show(red)
        assert stream.readline() == b"--frame\r\n"
        assert stream.readline() == b"Content-Type: image/jpeg\r\n"
        assert stream.readline() == b"\r\n"
        jpeg = b""
        while not jpeg.endswith(b"\xff\xd9\r\n"):
            jpeg += stream.read(1)
        picture = cv2.imdecode(np.frombuffer(jpeg[:-2], np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_allclose(picture[..., ::-1], red, atol=6)
        urllib.request.urlopen(urllib.request.Request(f"{address}end", method="POST"), timeout=10)
        assert not view.show(red)


def test_a_page_gives_only_the_newest_picture():
    with Page("any") as page:
        for level in (10, 20, 30):
            page.show(np.full((8, 8, 3), level, np.uint8))
        newest = cv2.imdecode(np.frombuffer(next(page.pictures()), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_allclose(newest, 30, atol=3)


def test_boxes_of_frames_are_refused_for_a_webcam(run, make_spot, monkeypatch, tmp_path):
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes" / "a_000000000000_keypoints.json").write_text('{"people": []}')
    monkeypatch.setattr(cv2, "VideoCapture", lambda device: Always([make_spot(SIZE, (9, 9))]))
    with pytest.raises(ValueError, match="--json_path .* not of a webcam"):
        run(json_path=str(tmp_path / "boxes"))


def test_settings_of_the_webcam_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="--frames is for --img_path"):
        demo.DemoSettings(load_path="any", webcam=0, frames=True)
    with pytest.raises(ValueError, match="--fps is for --frames only"):
        demo.DemoSettings(load_path="any", img_path="a.mp4", fps=5.0)


def test_a_default_number_of_frames_ends_it_where_nobody_can_press_q():
    assert demo.WEBCAM_FRAMES == 300 and webcam.FALLBACK_FPS == 30

"""Frames of a camera, of which the newest wins: whoever is slow misses some, but is never late."""

import pathlib
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
from absl import logging

from hmr_tf2.capture.video_reader import FALLBACK_FPS, MAX_FPS, Frame, VideoInfo


class Webcam:
    """A camera that is read by a thread of its own until the block ends.

    >>> with Webcam(0, "webcam.mp4") as camera:
    ...     for frame in camera.frames():
    ...         ...

    Args:
        device: the camera's number.
        path: names it where videos have a file.

    Raises:
        OSError: there is no such camera, or it delivers no pictures.
    """

    def __init__(self, device: int, path: pathlib.Path):
        self.path = path
        self._device = device
        self._news = threading.Condition()
        self._newest: tuple[float, np.ndarray] | None = None
        self._error: BaseException | None = None
        self._has_ended = False

    def __enter__(self) -> "Webcam":
        self._camera = cv2.VideoCapture(self._device)
        ok, picture = self._camera.read()
        if not ok:
            self._camera.release()
            raise OSError(
                f"--webcam={self._device}: no camera with this number delivers pictures."
            )
        fps = self._camera.get(cv2.CAP_PROP_FPS)
        fps = float(fps) if 0 < fps <= MAX_FPS else FALLBACK_FPS
        self.info = VideoInfo(picture.shape[1::-1], fps, 0)
        self._start = time.monotonic()
        self._newest = (0.0, picture)
        self._thread = threading.Thread(target=self._read, name="webcam", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace) -> None:
        with self._news:
            self._has_ended = True
        self._thread.join()
        self._camera.release()

    def frames(self) -> Iterator[Frame]:
        """Yields the newest frame that was not yielded yet, and waits for one if need be.

        A camera that fails ends them, with a warning.
        """
        while True:
            with self._news:
                self._news.wait_for(lambda: self._newest is not None or self._has_ended)
                newest, self._newest = self._newest, None
            if newest is None:
                if isinstance(self._error, Exception):
                    logging.warning("Camera %d has failed: %s", self._device, self._error)
                elif self._error is not None:
                    raise self._error
                return
            moment, picture = newest
            yield Frame(moment, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))

    def _read(self):
        try:
            while not self._has_ended:
                ok, picture = self._camera.read()
                if not ok:
                    break
                with self._news:
                    self._newest = (time.monotonic() - self._start, picture)
                    self._news.notify()
        except BaseException as error:  # raised again where the frames are taken
            self._error = error
        finally:
            with self._news:
                self._has_ended = True
                self._news.notify()

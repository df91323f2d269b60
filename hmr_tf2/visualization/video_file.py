"""Writes H.264 videos that every browser plays, by FFmpeg's libraries (PyAV)."""

import contextlib
import errno
import os
import pathlib
import shutil
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from hmr_tf2.visualization.soundtrack import Sound, Soundtrack
from tfrecords_tools.files import NotWrittenError, replacing

# MPEG's clock, in which the usual frame rates have whole steps.
_CLOCK = 90000
# Said in full: what is not said, each browser chooses by the video's size. These are the numbers
# of H.264: BT.601's matrix, BT.709's primaries, sRGB's curve, and the narrow range of television.
_COLORS = {"colorspace": 6, "color_primaries": 1, "color_trc": 13, "color_range": 1}
# Bytes; where less is free, the end of a video may be missing.
_LEAST_ROOM = 4096


class VideoWriter:
    """A video that is being written; see `video_writer`."""

    def __init__(self, container, stream, fps: float, sound: Soundtrack | None):
        self._container = container
        self._stream = stream
        self._step = 1 / fps
        self._sound = sound
        self._next = 0.0

    def __call__(self, picture: np.ndarray, time: float | None = None) -> None:
        """Appends a frame.

        Args:
            picture: RGB uint8 [H, W, 3].
            time: seconds since the first frame, ascending; the default is one step of the frame
                rate after the frame before.
        """
        time = self._next if time is None else time
        self._next = time + self._step
        # Browsers only play 4:2:0, whose colour has half the resolution, so sides must be even.
        height, width = picture.shape[:2]
        picture = np.pad(picture, [(0, height % 2), (0, width % 2), (0, 0)])
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU601")
        frame.pts, frame.time_base = round(time * _CLOCK), self._stream.time_base
        frame.duration = round(self._step * _CLOCK)
        if self._sound:
            self._sound.write_until(self._next)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Writes what the encoder still holds."""
        self._container.mux(self._stream.encode())


@contextlib.contextmanager
def video_writer(
    path: str | os.PathLike,
    size: tuple[int, int],
    fps: float,
    crf: int = 20,
    sound: Sound | None = None,
) -> Iterator[VideoWriter]:
    """Opens a video for writing; it appears under its name when the block ends without error.

    >>> with video_writer("out.mp4", (640, 480), 25.0) as append:
    ...     append(picture)  # RGB uint8 [480, 640, 3]

    Args:
        path: the MP4 file.
        size: (width, height); odd ones gain a black column or row.
        fps: frames per second; the time of each frame can be given instead.
        crf: x264's constant rate factor; lower means better quality and larger files.
        sound: what is copied as sound, as far as the frames reach.

    Raises:
        OSError: it cannot be written.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, keep_suffix=True) as partial:
        try:
            # The index goes to the front, so that a browser plays before it has the whole.
            container = av.open(
                os.fspath(partial), "w", format="mp4", options={"movflags": "+faststart"}
            )
            with container:
                stream = _stream(container, size, fps, crf)
                with Soundtrack(sound, container) if sound else contextlib.nullcontext() as track:
                    writer = VideoWriter(container, stream, fps, track)
                    yield writer
                    writer.finish()
        except av.error.FFmpegError as error:
            _check_room(path, error)
            raise NotWrittenError(path, error.errno) from error
        _check_room(path)


def _stream(container, size, fps, crf):
    """The H.264 stream, with a clock fine enough for any frame's time."""
    # Frames that are coded in another order would make the header's length wrong where steps vary.
    stream = container.add_stream("libx264", options={"crf": str(crf), "bf": "0"})
    stream.width, stream.height = (side + side % 2 for side in size)
    stream.pix_fmt = "yuv420p"
    stream.codec_context.framerate = Fraction(fps).limit_denominator(1001)
    stream.time_base = stream.codec_context.time_base = Fraction(1, _CLOCK)
    for name, value in _COLORS.items():
        setattr(stream.codec_context, name, value)
    return stream


def _check_room(path: pathlib.Path, cause: Exception | None = None) -> None:
    """Raises NotWrittenError on a disk without room, of which FFmpeg does not always speak."""
    if shutil.disk_usage(path.parent).free < _LEAST_ROOM:
        raise NotWrittenError(path, errno.ENOSPC) from cause

"""Reads video files by FFmpeg's libraries (PyAV): upright, with square pixels, at true times."""

import contextlib
import itertools
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

import av
import cv2
import numpy as np
from absl import logging

from hmr_tf2.capture.joined_files import is_joined

FALLBACK_FPS = 30.0
MAX_FPS = 1000.0
# Seconds. Some containers round times to milliseconds; a time this near to the even step is on it.
ROUNDING = 0.6e-3
# Frames that are looked at to find out which of their two time stamps is in order.
_LOOKED_AT = 32
# Sides of a pixel beyond this ratio are taken for damage.
MAX_PIXEL_RATIO = 8
# Playlists and lists of files are left out: they would make FFmpeg open files of their choosing.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,"
    "asf,ogg,mxf,rm,dv,nut,mjpeg,gif,y4m,yuv4mpegpipe,swf,wtv,vob"
)
_WAY_OUT = "If a player shows it, convert it: ffmpeg -i IN -c:v libx264 OUT.mp4"
_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}


class VideoInfo(NamedTuple):
    """`size` (width, height) in pixels, and the frame rate `fps` in frames per second.

    If the time from frame to frame varies, `fps` is the rate of most of them. `num_frames` counts
    the coded frames; damage can leave fewer that can be seen.
    """

    size: tuple[int, int]
    fps: float
    num_frames: int


class Frame(NamedTuple):
    """`time` in seconds since the first frame; `picture` RGB uint8 [H, W, 3]."""

    time: float
    picture: np.ndarray


def video_info(path: str | os.PathLike) -> VideoInfo:
    """Decodes the first frame, and steps through the others without decoding them.

    Raises:
        OSError: there is no such file.
        ValueError: it is not a video, or has no frame; the message says what can be done.
    """
    with _opened(path) as (container, stream):
        first = next(_decoded(container, stream, path), None)
        size = None if first is None else _as_shown(first, stream).shape[1::-1]
    if is_joined(path):
        logging.warning(
            "%s is several files joined byte by byte, of which only the first can be read. Join "
            "them by FFmpeg instead, which describes how: https://trac.ffmpeg.org/wiki/Concatenate",
            path,
        )
    if size is None:
        raise ValueError(f"{path} has no frame that can be read: it is damaged or cut off.")
    with _opened(path) as (container, stream):
        stamps = [
            packet.dts
            for packet in _packets(container, stream)
            if packet.size and not packet.is_discard
        ]
        fps = _rate(stream, stamps)
    if fps is None:
        logging.warning(
            "%s does not state its frame rate; assuming %g frames per second.", path, FALLBACK_FPS
        )
    return VideoInfo(size, fps or FALLBACK_FPS, len(stamps))


def timed_frames(path: str | os.PathLike, fps: float = FALLBACK_FPS) -> Iterator[Frame]:
    """Yields every frame that can be decoded, all of the first one's size, at ascending times.

    Frames are turned upright and mirrored as the file says, and pixels that are not square are
    stretched. Where times start anew, as in files that were joined, they go on from the frame
    before.

    Args:
        path: the video.
        fps: see `VideoInfo`; for frames without a time, and to undo the rounding of times.

    Raises:
        OSError: there is no such file.
        ValueError: it is not a video; the message says what can be done.
    """
    last, shown, offset, size = None, -1.0, 0.0, None
    time_of, _ = _clock(path)
    with _opened(path) as (container, stream):
        for frame in _decoded(container, stream, path):
            time = time_of(frame)
            if last is None:
                offset = 0.0 if np.isnan(time) else -time
                time = 0.0
            else:
                time, offset = _following(time + offset, offset, last, 1 / fps)
            last = time
            step = round(time * fps) / fps
            shown = step if abs(step - time) <= ROUNDING and step > shown else time
            picture = _as_shown(frame, stream)
            size = size or picture.shape[1::-1]
            if picture.shape[1::-1] != size:
                picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            yield Frame(shown, picture)


def start_time(path: str | os.PathLike) -> float:
    """Seconds on the file's own clock at which its first frame that can be decoded is shown."""
    _, start = _clock(path)
    return 0.0 if np.isnan(start) else start


def _clock(path) -> tuple[Callable[..., float], float]:
    """A function from a frame to its time in seconds, NaN where it has none; and the first time.

    The time at which a frame is to be shown comes in disorder from some containers, such as AVI
    with frames that refer to later ones; that of its decoding is in order then.
    """
    with _opened(path) as (container, stream):
        frames = itertools.islice(_decoded(container, stream, path), _LOOKED_AT)
        stamps = [(frame.pts, frame.dts) for frame in frames]  # the frames themselves are large
        base = float(stream.time_base)
    pts, dts = zip(*stamps, strict=True) if stamps else ((None,), (None,))
    is_disordered = _num_back(pts) > _num_back(dts)

    def seconds(stamp) -> float:
        return np.nan if stamp is None else stamp * base

    if is_disordered:
        return lambda frame: seconds(frame.dts), seconds(dts[0])
    return lambda frame: seconds(frame.pts), seconds(pts[0])


def _num_back(stamps) -> int:
    """How often time does not go on."""
    known = [stamp for stamp in stamps if stamp is not None]
    return sum(second <= first for first, second in itertools.pairwise(known))


def _following(time, offset, last, step) -> tuple[float, float]:
    """The time of a frame after one at `last`, and the offset of the file's own times."""
    if np.isnan(time):
        return last + step, offset
    if time > last:
        return time, offset
    # A step or two back is disorder; more is the beginning of another file.
    return last + step, offset if last - time < 2.5 * step else offset + last + step - time


@contextlib.contextmanager
def _opened(path) -> Iterator[tuple]:
    """The container and its video stream; errors of FFmpeg become sentences."""
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"There is no video at {path}.")
    try:
        with av.open(os.fspath(path), options=_OPTIONS, metadata_errors="replace") as container:
            stream = _video_stream(container, path)
            yield container, stream
    except av.error.FFmpegError as error:
        raise ValueError(
            f"{path} is not a video that can be read, or is cut off: {error.strerror}. {_WAY_OUT}"
        ) from error


def _video_stream(container, path):
    """The first video stream that is not the cover picture of a sound file."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            break
    else:
        raise ValueError(f"{path} holds no pictures, only {_kinds(container)}.")
    if stream.codec_context is None:
        raise ValueError(
            f"{path} cannot be decoded: there is no decoder for its codec, {_codec(container)}. "
            f"{_WAY_OUT}"
        )
    stream.thread_type = "AUTO"
    return stream


def _kinds(container) -> str:
    return " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _codec(container) -> str:
    """What FFmpeg calls the codec of the video stream, which it cannot decode."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)  # below it FFmpeg does not describe anything
    try:
        described = container.dumps_format()
    finally:
        av.logging.set_level(level)
    found = re.search(r"Video: ([^,\n]+)", described)
    return found[1] if found else "which it does not name"


def _packets(container, stream) -> Iterator:
    """The stream's packets; the end of a file that is cut off ends them."""
    try:
        yield from container.demux(stream)
    except (av.error.InvalidDataError, av.error.EOFError):
        return


def _decoded(container, stream, path) -> Iterator:
    """Every frame that can be decoded, in the order in which they are shown."""
    num_damaged = 0
    for packet in _packets(container, stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            num_damaged += 1
    if num_damaged:
        logging.warning("%s: damaged frames were left out: %d.", path, num_damaged)


def _as_shown(frame, stream) -> np.ndarray:
    """RGB uint8 [H, W, 3] as a player shows it."""
    return _upright(_square(frame, stream.sample_aspect_ratio), frame)


def _square(frame, ratio: Fraction | None) -> np.ndarray:
    """RGB uint8 [H, W, 3] with the side of a pixel that is too short made longer."""
    width, height = frame.width, frame.height
    if ratio and 1 / MAX_PIXEL_RATIO <= ratio <= MAX_PIXEL_RATIO:
        width, height = round(width * max(ratio, 1)), round(height / min(ratio, 1))
    return frame.to_ndarray(format="rgb24", width=width, height=height)


def _upright(picture: np.ndarray, frame) -> np.ndarray:
    """Turned and mirrored as the frame's display matrix says, by quarter turns."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return picture
    # FFmpeg's libavutil/display.h: x' = a x + c y, y' = b x + d y, in rows (a, b, _), (c, d, _).
    (a, b), (c, d) = np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2].astype(int)
    right, down = a, d
    if abs(a) + abs(d) < abs(b) + abs(c):
        picture, right, down = picture.transpose(1, 0, 2), c, b
    picture = picture[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]
    return np.ascontiguousarray(picture)


def _rate(stream, stamps) -> float | None:
    """Frames per second: the header's rate if the times agree with it, else that of most steps."""
    stated = [
        float(rate)
        for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate)
        if rate and 0 < rate <= MAX_FPS
    ]
    times = np.array([stamp for stamp in stamps if stamp is not None]) * float(stream.time_base)
    steps = np.diff(times)
    steps = steps[steps > 0]
    if not len(steps):
        return stated[0] if stated else None
    usual = float(np.median(steps))
    even = [rate for rate in stated if abs(1 / rate - usual) <= 2 * ROUNDING]
    return even[0] if even else min(1 / usual, MAX_FPS)

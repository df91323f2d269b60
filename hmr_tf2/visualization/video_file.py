"""Writes H.264 videos that every browser plays, by the FFmpeg that imageio-ffmpeg brings."""

import contextlib
import errno
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

import imageio_ffmpeg
import numpy as np

from tfrecords_tools.files import NotWrittenError, replacing

_FILTERS = [
    # Browsers only play 4:2:0, which has colour at half the resolution and so needs even sides.
    "pad=ceil(iw/2)*2:ceil(ih/2)*2",
    # Said in full: what is not said, each FFmpeg chooses, and each browser by the video's size.
    "scale=out_color_matrix=smpte170m:out_range=tv",
    "format=yuv420p",
    "setparams=colorspace=smpte170m:color_primaries=bt709:color_trc=iec61966-2-1:range=tv",
]
# Bytes; where less is free, the end of a video may be missing.
_LEAST_ROOM = 4096


@contextlib.contextmanager
def video_writer(
    path: str | os.PathLike, size: tuple[int, int], fps: float, crf: int = 20
) -> Iterator[Callable[[np.ndarray], None]]:
    """Opens a video for writing; it appears under its name when the block ends without error.

    >>> with video_writer("out.mp4", (640, 480), 25.0) as append:
    ...     append(picture)  # RGB uint8 [480, 640, 3]

    Args:
        path: the MP4 file.
        size: (width, height); odd ones gain a black column or row.
        fps: frames per second.
        crf: x264's constant rate factor; lower means better quality and larger files.

    Raises:
        OSError: FFmpeg is missing or failed.
    """
    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise OSError(f"{path} cannot be written: {error}") from error
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    options = ["-crf", str(crf), "-vf", ",".join(_FILTERS), "-movflags", "+faststart"]
    with replacing(path, keep_suffix=True) as partial:
        frames = imageio_ffmpeg.write_frames(
            str(partial),
            size,
            fps=fps,
            codec="libx264",
            macro_block_size=1,
            quality=None,
            output_params=options,
        )
        frames.send(None)
        try:
            with contextlib.closing(frames):
                yield lambda picture: frames.send(np.ascontiguousarray(picture))
        except OSError as error:
            # FFmpeg is gone then, and its pipe broken.
            _check_room(path, error)
            raise
        _check_room(path)


def _check_room(path: pathlib.Path, cause: OSError | None = None) -> None:
    """Raises NotWrittenError on a disk without room, of which FFmpeg says nothing when it ends."""
    if shutil.disk_usage(path.parent).free < _LEAST_ROOM:
        raise NotWrittenError(path, errno.ENOSPC) from cause

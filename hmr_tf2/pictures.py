"""Reads picture files of any kind as RGB, and writes them."""

import functools
import io
import os
import pathlib
import warnings

import cv2
import numpy as np
from absl import logging
from PIL import Image

from hmr_tf2 import exif
from tfrecords_tools import file_kinds
from tfrecords_tools.files import replacing

# A square of 16384 pixels; its RGB bytes fill 0.8 GB.
MAX_PIXELS = 2**28
# Larger files are not read into memory: such a picture takes 8 bytes a pixel at most.
MAX_BYTES = 8 * MAX_PIXELS
# So many bits or fewer in a file of 16 are stretched: cameras and scanners have 10, 12 or 14.
MAX_PARTIAL_BITS = 14
# The suffixes of what Pillow and pillow-heif read. Left out are vector graphics, numbers that are
# no brightness, and formats that need another program.
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib",
    ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf",
    ".jpx", ".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif", ".tga", ".icb",
    ".vda", ".vst", ".qoi", ".ico", ".cur", ".icns", ".psd", ".pcx", ".dcx", ".pcd", ".pxr",
    ".ras", ".sgi", ".rgb", ".rgba", ".bw", ".dds", ".blp", ".ftc", ".ftu", ".gbr", ".im",
    ".msp", ".xbm", ".xpm", ".fli", ".flc",
)  # fmt: skip
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1"}
AVIF_BRANDS = {b"avif", b"avis"}


class _Refused(ValueError):
    """A message that names the file and says what is wrong with it."""


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """Reads a picture as RGB uint8 [H, W, 3], turned upright as its EXIF orientation says.

    Grey, palette and CMYK become RGB, transparency is dropped (as in the original's demo), and
    only the first frame of an animation is read. More than 8 bits become 8: of 16 the upper 8, but
    14 or fewer in a file of 16 are stretched, which is logged. Damaged metadata is ignored.

    Raises:
        OSError: there is no such file.
        ValueError: it is not a picture, is cut off, or has more than `MAX_PIXELS` pixels.
    """
    path = pathlib.Path(path)
    data = _content(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of damage that is passed over
            return _decode(path, data)
    except _Refused:
        raise
    except Image.DecompressionBombError:
        raise ValueError(_too_large(path)) from None
    except Image.UnidentifiedImageError:
        reason = _kind_of(data).removesuffix(".")
        raise ValueError(f"{path} is not a picture that can be read{reason}.") from None
    # Pillow's many readers raise errors of any class where a file is damaged.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} is not a whole picture: {reason}") from error


def write_picture(path: str | os.PathLike, picture: np.ndarray) -> None:
    """Writes RGB uint8 [H, W, 3], whole or not at all; the suffix of the name sets the format."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = Image.registered_extensions()[path.suffix.lower()]
    with replacing(path) as partial:
        Image.fromarray(picture).save(partial, kind, compress_level=3)


def _content(path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path} is not a picture: it has more than {MAX_BYTES // 2**30} GB.")
    return data


def _decode(path, data) -> np.ndarray:
    if _is_heif(data):
        _register_heif(path)
    bare = exif.without_metadata(data)
    with Image.open(io.BytesIO(bare)) as picture:
        if picture.size[0] * picture.size[1] > MAX_PIXELS:
            raise _Refused(_too_large(path))
        if getattr(picture, "n_frames", 1) > 1 and picture.format in ("GIF", "PNG", "WEBP"):
            _warn_once(
                f"{path} is an animation: only the first of its {picture.n_frames} frames is "
                "read. To see all of them, convert it: ffmpeg -i IN OUT.mp4"
            )
        # Pixels are decoded only here, so that only here a truncated file is noticed.
        picture.load()
        # AVIF states the orientation outside of its EXIF block; Pillow puts it there.
        block = picture.info.get("exif")
        orientation = exif.orientation_of_block(block) if block else exif.orientation_of_file(data)
        return exif.upright(_to_rgb(path, picture, bare), orientation)


def _is_heif(data) -> bool:
    """Whether it is a HEIF picture whose pixels are coded as HEVC, which Pillow cannot decode."""
    if data[4:8] != b"ftyp":
        return False
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[k : k + 4] for k in range(16, size, 4))}
    return bool(brands & HEIF_BRANDS) and not brands & AVIF_BRANDS


def _register_heif(path):
    try:
        import pillow_heif
    except ImportError:
        raise _Refused(
            f"{path} is a HEIC picture: install its reader with `pip install 'hmr_tf2[heif]'`, or "
            "convert it to JPEG."
        ) from None
    pillow_heif.register_heif_opener()


def _kind_of(data) -> str:
    """What can be said of a file that Pillow does not know."""
    if not data:
        return ": it is empty"
    if data.startswith(exif.TIFF_STARTS):
        return ": it is a damaged TIFF or one of a rare kind; save it as PNG with 8 or 16 bits"
    kind = file_kinds.kind_of(data[: file_kinds.HEAD_BYTES])
    if kind not in (None, file_kinds.PICTURE):
        return f": it is {kind}. {file_kinds.remedy(kind, 'the picture')}"
    return " (JPEG, PNG, ...)"


def _too_large(path):
    return f"{path} has more than {MAX_PIXELS // 10**6} million pixels: scale it down first."


def _to_rgb(path, picture, data) -> np.ndarray:
    if picture.mode == "F":
        raise _Refused(f"{path} has floating-point pixels: save it with 8 or 16 bits per channel.")
    if picture.mode.startswith("I"):  # grey in more than 8 bits, which Pillow would cut off at 255
        grey = _to_8_bits(path, _levels(picture))
        return np.repeat(grey[..., np.newaxis], 3, axis=2)
    rgb = np.asarray(picture.convert("RGB"))
    if _has_16_bits(picture, data) and rgb.max() < 2 ** (MAX_PARTIAL_BITS - 8):
        # Pillow keeps the upper 8 bits of colours only.
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
        deep = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if deep is not None and deep.dtype == np.uint16 and deep.shape == rgb.shape:
            return _to_8_bits(path, deep[..., ::-1])
    return rgb


def _has_16_bits(picture, data) -> bool:
    if picture.format == "PNG":
        return data[24] == 16
    if picture.format in ("PPM", "JPEG2000"):
        return True  # they may; whoever asks looks at the pixels
    return picture.format == "TIFF" and 16 in picture.tag_v2.get(258, ())  # BitsPerSample


def _levels(picture) -> np.ndarray:
    """Pixels of more than 8 bits as whole numbers [H, W]."""
    levels = np.asarray(picture)
    # Pillow takes all whole numbers of 32 bits for signed ones.
    if picture.format == "TIFF" and levels.dtype == np.int32:
        is_unsigned = picture.tag_v2.get(339, (1,))[0] == 1  # SampleFormat
        return levels.view(np.uint32) if is_unsigned else levels
    return levels


@functools.lru_cache(maxsize=4096)
def _warn_once(message: str) -> None:
    """Logs a warning that has not been logged: a picture is read twice, to see and to draw it."""
    logging.warning("%s", message)


def _to_8_bits(path, levels) -> np.ndarray:
    """Whole numbers of any range and shape as uint8; logs if it is not the upper 8 bits of 16."""
    low, high = int(levels.min()), int(levels.max())
    if low < 0:
        _warn_once(f"{path}: its levels {low} to {high} were taken for black to white.")
        share = (levels - np.float64(low)) / max(high - low, 1)
        return np.round(255 * share).astype(np.uint8)
    bits = max(high.bit_length(), 8)
    if MAX_PARTIAL_BITS < bits <= 16 or high == 0:
        return (levels // 2**8).astype(np.uint8)
    _warn_once(
        f"{path}: its levels reach {high}{' only' if bits < 16 else ''}, so that 0 to "
        f"{2**bits - 1} were taken for black to white."
    )
    return (levels // 2 ** (bits - 8)).astype(np.uint8)

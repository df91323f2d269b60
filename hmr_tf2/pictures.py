"""Reads picture files of any kind as RGB, and writes them."""

import os
import pathlib
import warnings

import numpy as np
from PIL import Image, ImageOps

from tfrecords_tools.files import replacing

# A square of 16384 pixels; its RGB bytes fill 0.8 GB.
MAX_PIXELS = 2**28


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """Reads a picture as RGB uint8 [H, W, 3], turned upright as its EXIF orientation says.

    Grey, palette and CMYK become RGB, 16 bits become 8, transparency is dropped (as in the
    original's demo), and only the first frame of an animation is read.

    Raises:
        OSError: there is no such file.
        ValueError: it is not a picture, is cut off, or has more than `MAX_PIXELS` pixels.
    """
    path = pathlib.Path(path)
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(file) as picture:
                _check_size(path, picture.size)
                # Pixels are decoded only here, so that only here a truncated file is noticed.
                return _to_rgb(path, ImageOps.exif_transpose(picture))
        except Image.DecompressionBombError:
            raise ValueError(_too_large(path)) from None
        except Image.UnidentifiedImageError:
            raise ValueError(
                f"{path} is not a picture that can be read (JPEG, PNG, ...)."
            ) from None
        except (OSError, SyntaxError, EOFError, IndexError, TypeError) as error:
            raise ValueError(f"{path} is not a whole picture: {error}") from error


def write_picture(path: str | os.PathLike, picture: np.ndarray) -> None:
    """Writes RGB uint8 [H, W, 3], whole or not at all; the suffix of the name sets the format."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = Image.registered_extensions()[path.suffix.lower()]
    with replacing(path) as partial:
        Image.fromarray(picture).save(partial, kind, compress_level=3)


def _check_size(path, size):
    width, height = size
    if width * height > MAX_PIXELS:
        raise ValueError(_too_large(path))


def _too_large(path):
    return f"{path} has more than {MAX_PIXELS // 10**6} million pixels: scale it down first."


def _to_rgb(path, picture) -> np.ndarray:
    if picture.mode == "F":
        raise ValueError(
            f"{path} has floating-point pixels: save it with 8 or 16 bits per channel."
        )
    if picture.mode.startswith("I"):  # grey in more than 8 bits, which Pillow would cut off at 255
        grey = np.clip(np.asarray(picture), 0, 2**16 - 1) // 256
        return np.repeat(grey[..., np.newaxis], 3, axis=2).astype(np.uint8)
    return np.asarray(picture.convert("RGB"))

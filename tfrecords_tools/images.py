"""Pictures: TensorFlow's JPEG decoder and encoder, and the crop around a person.

The stored bytes must equal the original's, so TensorFlow decodes and encodes, and OpenCV resizes
bilinearly (akanazawa/hmr src/datasets/common.py).
"""

import pathlib

import cv2
import numpy as np
import tensorflow as tf

from tfrecords_tools.plan import Skip

# A keypoint farther out than this, or a picture that would be enlarged beyond it, is a mistake.
MAX_COORDINATE_PX = 1e5
MAX_SIDE_PX = 16384

# The block of a JPEG with colour at half the resolution (4:2:0), as TensorFlow encodes it.
_BLOCK_PX = 16


class BadSampleError(Exception):
    """A picture or annotation that cannot be used; becomes a `Skip`."""

    def __init__(self, reason: str, what: str, is_fault: bool = True):
        super().__init__(f"{what}: {reason}")
        self.skip = Skip(reason, what, is_fault)


def read_file(path: pathlib.Path) -> bytes:
    """The bytes of a picture; a missing or empty one is a skip."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadSampleError("picture missing", str(path)) from None
    except OSError as error:
        raise BadSampleError("picture unreadable", f"{path} ({error.strerror})") from None
    if not data:
        raise BadSampleError("picture empty", str(path))
    return data


def decode(data: bytes, name: str) -> np.ndarray:
    """Decodes to uint8 [height, width, 3]; a picture that is cut off or is not one is a skip."""
    try:
        with tf.device("cpu"):
            return tf.io.decode_jpeg(data, channels=3).numpy()
    except tf.errors.InvalidArgumentError:
        raise BadSampleError("picture damaged", name) from None


def encode(image: np.ndarray, quality: int = 95) -> bytes:
    """JPEG bytes of an RGB picture."""
    with tf.device("cpu"):
        return tf.io.encode_jpeg(image, format="rgb", quality=quality).numpy()


def recode(
    image: np.ndarray, start: np.ndarray, end: np.ndarray, factors: tuple[float, float], name: str
) -> np.ndarray:
    """Encodes as JPEG of quality 100 and decodes again, but only where a crop will look.

    The rest of the result is undefined.

    The original does this to each whole frame of a 3-D data set before it crops. JPEG works on
    blocks of 16 x 16 pixels, and its smoothed colour reaches no farther than the next block, so
    the blocks around the crop, and one more on each side, give the same pixels.

    Args:
        image: uint8 [height, width, 3].
        start, end: corners x, y of the crop in the resized picture.
        factors: of height and width, from `image` to the resized picture.
        name: the picture's name, for messages.
    """
    size = np.array(image.shape[1::-1])
    scale = np.array(factors[::-1])
    # Bilinear sampling looks at the pixels on both sides of the point, hence 2 more.
    needed_start = np.clip(np.floor(start / scale).astype(int) - 2, 0, size)
    needed_end = np.clip(np.ceil(end / scale).astype(int) + 2, 0, size)
    x0, y0 = np.maximum(needed_start // _BLOCK_PX - 1, 0) * _BLOCK_PX
    x1, y1 = np.minimum((-(-needed_end // _BLOCK_PX) + 1) * _BLOCK_PX, size)
    part = decode(encode(image[y0:y1, x0:x1], quality=100), name)
    whole = np.empty_like(image)
    (left, top), (right, bottom) = needed_start, needed_end
    whole[top:bottom, left:right] = part[top - y0 : bottom - y0, left - x0 : right - x0]
    return whole


def check_keypoints(keypoints: np.ndarray, name: str) -> None:
    """Raises `BadSampleError` for keypoints that are not numbers or lie absurdly far out."""
    if not np.all(np.abs(keypoints) < MAX_COORDINATE_PX):  # False for NaN too
        raise BadSampleError("keypoints absurd", name)


def box(points: np.ndarray) -> tuple[np.ndarray, float]:
    """The centre [2] of the box around `points` [n, 2], and the length of its diagonal."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2.0, float(np.linalg.norm(high - low))


def target_size(
    image: np.ndarray, scale: float, name: str
) -> tuple[tuple[int, int], tuple[float, float]]:
    """The size of `image` times `scale`, rounded down to whole pixels.

    Returns:
        Height and width, and their actual ratios to those of `image`.
    """
    size = np.array(image.shape[:2])
    if not np.isfinite(scale) or not np.all(size * scale < MAX_SIDE_PX):
        raise BadSampleError("person too small to scale", name)
    height, width = (int(side) for side in np.floor(size * scale))
    if height < 1 or width < 1:
        raise BadSampleError("person larger than the picture allows", name)
    return (height, width), (height / float(size[0]), width / float(size[1]))


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture resized to height and width `size` by OpenCV's bilinear sampling."""
    return cv2.resize(image, size[::-1])


def crop_bounds(
    size: tuple[int, int], center: np.ndarray, margin: int, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Corners x, y of a crop `margin` pixels to each side of `center`, within the picture."""
    height, width = size
    start = np.maximum(center - margin, 0).astype(int)
    end = np.minimum((center + margin).astype(int), [width, height])
    if np.any(end <= start):
        raise BadSampleError("person outside the picture", name)
    return start, end


def crop(image: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The part between the corners x, y."""
    return image[start[1] : end[1], start[0] : end[0]]


def padded_crop(image: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The part between the corners x, y; beyond the picture its edge pixels are repeated."""
    height, width = image.shape[:2]
    columns = np.clip(np.arange(start[0], end[0]), 0, width - 1)
    rows = np.clip(np.arange(start[1], end[1]), 0, height - 1)
    return image[rows][:, columns]


def scale_points(points: np.ndarray, scale_factors: tuple[float, float]) -> np.ndarray:
    """`points` [n, 2] in the resized picture.

    The original multiplies x by the factor of the height and y by that of the width, which differ
    by less than a pixel's worth. This is kept because the records must equal the original's.
    """
    return points * np.array(scale_factors)

"""Pictures: TensorFlow's JPEG decoder and encoder, and the crop around a person.

The stored bytes must equal the original's, so both directions are TensorFlow's and the resize is
OpenCV's bilinear one (akanazawa/hmr src/datasets/common.py).
"""

import dataclasses
import pathlib

import cv2
import numpy as np
import tensorflow as tf

from tfrecords_tools.plan import Skip

# A keypoint further out than this, or a person who would be blown up beyond it, is a mistake.
MAX_COORDINATE_PX = 1e5
MAX_SIDE_PX = 16384

cv2.setNumThreads(1)


class BadSampleError(Exception):
    """A picture or annotation that cannot be used; becomes a `Skip`."""

    def __init__(self, reason: str, what: str, is_fault: bool = True):
        super().__init__(f"{what}: {reason}")
        self.skip = Skip(reason, what, is_fault)


@dataclasses.dataclass(frozen=True)
class Crop:
    """A person cut out of a resized picture.

    Attributes:
        image: uint8 [height, width, 3], RGB.
        start: int [2], x, y of its corner in the resized picture.
        scale_factors: of height and width, as the rounded size of the resized picture gave them.
    """

    image: np.ndarray
    start: np.ndarray
    scale_factors: tuple[float, float]


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
    """uint8 [height, width, 3]; one that is cut off or no picture at all is a skip."""
    try:
        with tf.device("cpu"):
            return tf.io.decode_jpeg(data, channels=3).numpy()
    except tf.errors.InvalidArgumentError:
        raise BadSampleError("picture damaged", name) from None


def encode(image: np.ndarray, quality: int = 95) -> bytes:
    """JPEG bytes of an RGB picture."""
    with tf.device("cpu"):
        return tf.io.encode_jpeg(image, format="rgb", quality=quality).numpy()


def recode(image: np.ndarray, name: str) -> np.ndarray:
    """The original makes each frame of a 3-D data set a JPEG of quality 100 before it crops."""
    return decode(encode(image, quality=100), name)


def check_keypoints(keypoints: np.ndarray, name: str) -> None:
    """Refuses keypoints that are not numbers or lie absurdly far out."""
    if not np.all(np.abs(keypoints) < MAX_COORDINATE_PX):  # False for NaN too
        raise BadSampleError("keypoints absurd", name)


def box(points: np.ndarray) -> tuple[np.ndarray, float]:
    """The centre [2] of the box around `points` [n, 2], and the length of its diagonal."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2.0, float(np.linalg.norm(high - low))


def resize(image: np.ndarray, scale: float, name: str) -> tuple[np.ndarray, tuple[float, float]]:
    """Resizes to the whole number of pixels below `scale` times the size.

    Returns:
        The picture, and the factors of height and width that it was really resized by.
    """
    size = np.array(image.shape[:2])
    if not np.isfinite(scale) or not np.all(size * scale < MAX_SIDE_PX):
        raise BadSampleError("person too small to scale", name)
    height, width = np.floor(size * scale).astype(int)
    if height < 1 or width < 1:
        raise BadSampleError("person larger than the picture allows", name)
    resized = cv2.resize(image, (int(width), int(height)))
    return resized, (height / float(size[0]), width / float(size[1]))


def crop(image: np.ndarray, center: np.ndarray, margin: int, name: str) -> tuple:
    """Cuts `margin` pixels to each side of `center` (x, y), less where the picture ends.

    Returns:
        The part of the picture, and its corner x, y as int [2].
    """
    height, width = image.shape[:2]
    start = np.maximum(center - margin, 0).astype(int)
    end = np.minimum((center + margin).astype(int), [width, height])
    if np.any(end <= start):
        raise BadSampleError("person outside the picture", name)
    return image[start[1] : end[1], start[0] : end[0]], start


def padded_crop(
    image: np.ndarray, center: np.ndarray, margin: int, padding: int, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts `margin` pixels to each side of `center`, with the edge repeated up to `padding`.

    Returns:
        uint8 [2 margin, 2 margin, 3], and its corner x, y as int [2], negative where it repeats.
    """
    height, width = image.shape[:2]
    start, end = center - margin, center + margin
    if np.any(start < -padding) or np.any(end > np.array([width, height]) + padding):
        raise BadSampleError("person outside the picture", name)
    columns = np.clip(np.arange(start[0], end[0]), 0, width - 1)
    rows = np.clip(np.arange(start[1], end[1]), 0, height - 1)
    return image[rows][:, columns], start


def scale_points(points: np.ndarray, scale_factors: tuple[float, float]) -> np.ndarray:
    """`points` [n, 2] in the resized picture.

    The original multiplies x by the factor of the height and y by that of the width, which differ
    by less than a pixel's worth; kept, as the records must equal its own.
    """
    return points * np.array(scale_factors)

"""Where a crop lies in its picture, and the cameras that see a body in one or the other.

The crops are those of the original's demo (akanazawa/hmr src/util/image.py, openpose.py, demo.py).
"""

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np

# The original's demo scales a person so that the box around the visible keypoints has this
# diagonal.
PERSON_DIAGONAL_PX = 150.0
# Limit for the resized picture: a small box in a large picture would ask for gigabytes.
MAX_RESIZED_PX = 2**24


class PictureCamera(NamedTuple):
    """Weak-perspective camera of the whole picture: pixel = scale * (X[:2] + translation).

    `scale` is float64 [2], pixels per metre along x and y. The two differ slightly, since the
    sides of a resized picture are truncated to whole pixels. `translation` is float64 [2], metres.
    """

    scale: np.ndarray
    translation: np.ndarray

    @property
    def mean_scale(self) -> float:
        """The geometric mean of `scale`, with its sign: an untrained network's can be negative."""
        return float(np.copysign(np.sqrt(self.scale.prod()), self.scale[0]))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 3] in metres to pixels [..., 2] of the picture."""
        return self.scale * (points[..., :2] + self.translation)

    def perspective(self, size: tuple[int, int], focal_length: float) -> "PinholeCamera":
        """The pinhole camera, centred on the picture, that agrees with this one at the origin.

        At the depth of the body's origin both have the same scales; nearer points appear larger.

        Args:
            size: (width, height) of the picture.
            focal_length: pixels.
        """
        middle = np.array(size) / 2.0
        # The depth at which focal_length / depth is the weak-perspective scale. The slight
        # difference between the two scales goes into the focal lengths, where it stays exact.
        return PinholeCamera(
            focal_length * self.scale / self.mean_scale,
            middle,
            np.array([*(self.translation - middle / self.scale), focal_length / self.mean_scale]),
        )


class PinholeCamera(NamedTuple):
    """pixel = focal_length * (X + translation)[:2] / (X + translation)[2] + principal_point.

    `focal_length` and `principal_point` are float64 [2], pixels; `translation` is float64 [3],
    metres.
    """

    focal_length: np.ndarray
    principal_point: np.ndarray
    translation: np.ndarray

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 3] in metres to pixels [..., 2] of the picture."""
        moved = points + self.translation
        return self.focal_length * moved[..., :2] / moved[..., 2:] + self.principal_point


@dataclasses.dataclass(frozen=True)
class CropPlace:
    """Where a square crop lies in its picture.

    `scale` holds the factors, along x and y, from the picture to the resized one that the crop is
    cut from. `start` is the x, y of the crop's corner there, in pixels: negative in the padding,
    and whole unless only part of the picture was resized. `img_size` is the crop's side, pixels.
    """

    scale: np.ndarray
    start: np.ndarray
    img_size: int

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Maps pixels of the crop [..., 2] to pixels of the picture."""
        return (points + self.start) / self.scale

    def picture_camera(self, cam: np.ndarray) -> PictureCamera:
        """Converts the camera `[s, tx, ty]` of the crop to a camera of the picture.

        It projects points to where `to_picture` takes their projections in the crop.
        """
        # half * (s * (X + t) + 1) is the pixel of the crop; see `to_picture` for the rest.
        half = self.img_size / 2.0
        scale = half * np.float64(cam[0])
        return PictureCamera(
            scale / self.scale, np.asarray(cam[1:], np.float64) + (half + self.start) / scale
        )

    def cam_of(self, camera: PictureCamera) -> np.ndarray:
        """The inverse of `picture_camera`: float64 [3], `[s, tx, ty]`.

        A crop has a single scale for both axes, so the geometric mean of the camera's two is
        taken; the body's origin stays on its pixel.
        """
        half = self.img_size / 2.0
        scale = camera.mean_scale * np.sqrt(self.scale.prod())
        origin = camera.scale * camera.translation * self.scale
        return np.array([scale / half, *((origin - half - self.start) / scale)])


@dataclasses.dataclass(frozen=True)
class Crop(CropPlace):
    """A square cut from the resized and edge-padded picture.

    `image` is float32 [S, S, 3] in [-1, 1].
    """

    image: np.ndarray

    @property
    def place(self) -> CropPlace:
        """The place of the crop, without its pixels."""
        return CropPlace(self.scale, self.start, self.img_size)

    @property
    def pixels(self) -> np.ndarray:
        """The crop as uint8 [S, S, 3]."""
        return to_pixels(self.image)


def crop_whole_picture(picture: np.ndarray, img_size: int = 224) -> Crop:
    """The crop that the original's demo makes without a box: the longer side becomes `img_size`.

    Args:
        picture: RGB uint8 [H, W, 3].
    """
    height, width = picture.shape[:2]
    center = np.round(np.array([width, height]) / 2.0)
    return scale_and_crop(picture, img_size / max(height, width), center, img_size)


def crop_box(picture: np.ndarray, box: np.ndarray, img_size: int = 224) -> Crop:
    """The crop that the original's demo makes around a person: the box's diagonal becomes 150 px.

    Source: akanazawa/hmr src/util/openpose.py (get_bbox).

    Args:
        picture: RGB uint8 [H, W, 3].
        box: float [4], x, y, width, height in pixels of the picture.

    Raises:
        ValueError: the box is empty, not finite or outside the picture.
    """
    corner, size = np.asarray(box[:2], np.float64), np.asarray(box[2:], np.float64)
    height, width = picture.shape[:2]
    if not np.isfinite(box).all() or (size <= 0).any() or np.hypot(*size) < 1.0:
        raise ValueError(
            f"The box {_numbers(box)} (x, y, width, height) is empty; width and height must be "
            "above 0, and all four numbers finite."
        )
    if (corner >= [width, height]).any() or (corner + size <= 0).any():
        raise ValueError(
            f"The box {_numbers(box)} (x, y, width, height) lies outside the picture of "
            f"{width} x {height} pixels."
        )
    scale = PERSON_DIAGONAL_PX / float(np.linalg.norm(size))
    return scale_and_crop(picture, scale, corner + size / 2.0, img_size)


def scale_and_crop(
    picture: np.ndarray, scale: float, center: np.ndarray, img_size: int = 224
) -> Crop:
    """Resizes a picture, pads it by repeating its edge, and crops it around a point.

    Source: akanazawa/hmr src/util/image.py (scale_and_crop) and demo.py (preprocess_image). If
    the resized picture would have more than `MAX_RESIZED_PX` pixels, only the part around the
    crop is resized.

    Args:
        picture: RGB uint8 [H, W, 3].
        scale: factor by which the picture is resized; sizes are truncated to whole pixels.
        center: x, y of the crop's centre in the picture, pixels.
        img_size: side of the crop, pixels.
    """
    center = np.asarray(center, np.float64)
    if np.prod(np.array(picture.shape[:2]) * scale) > MAX_RESIZED_PX:
        part, corner = part_around(picture, center, img_size / scale)
        if part.size < picture.size:
            crop = scale_and_crop(part, scale, center - corner, img_size)
            return dataclasses.replace(crop, start=crop.start + corner * crop.scale)
    size = np.floor(np.array(picture.shape[1::-1]) * scale).astype(int).clip(1)
    resized = cv2.resize(picture, tuple(size.tolist()))
    # Truncation makes the true factors differ from `scale`, and from each other.
    factors = size / np.array(picture.shape[1::-1], np.float64)
    start = np.round(center * factors).astype(int) - img_size // 2
    # Clipped indices repeat the border pixels, as the original's padding does, without a copy.
    columns, rows = (
        np.clip(np.arange(img_size) + offset, 0, limit - 1)
        for offset, limit in zip(start, size, strict=True)
    )
    cut = resized[rows[:, np.newaxis], columns]
    return Crop(factors, start, img_size, from_pixels(cut))


def part_around(
    picture: np.ndarray, center: np.ndarray, side: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture within `side` of `center`, never empty, and the x, y of its corner."""
    limit = np.array(picture.shape[1::-1])
    low = np.clip(np.floor(center - side), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(center + side), low + 1, limit).astype(int)
    return picture[low[1] : high[1], low[0] : high[0]], low


def _numbers(values) -> str:
    return ",".join(f"{float(value):g}" for value in values)


def from_pixels(pixels: np.ndarray) -> np.ndarray:
    """Converts uint8 pixels of any shape to what the network sees, float32 in [-1, 1]."""
    return 2.0 * (pixels.astype(np.float32) / 255.0 - 0.5)


def to_pixels(image: np.ndarray) -> np.ndarray:
    """The inverse of `from_pixels`: converts values in [-1, 1] of any shape to uint8."""
    return np.round((image + 1.0) * 127.5).astype(np.uint8)

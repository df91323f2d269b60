"""Pictures in, bodies out: the crop of the original's demo, a model, named results.

What demo, evaluation and export share; `hmr_tf2.loading.load_predictor` makes a `Predictor`.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from hmr_tf2.networks.regressor import split_theta
from hmr_tf2.smpl import batch_rodrigues
from hmr_tf2.smpl.rig import Rig

BATCH_SIZE = 16
SIGNATURE = "predict_crops"
# The original's demo scales a person to this diagonal of the box round the visible keypoints.
PERSON_DIAGONAL_PX = 150.0
MAX_RESIZED_PX = 2**24


class CropPredictor:
    """Recovers the bodies in crops, wherever the network runs: all that pictures need.

    Args:
        network: from crops float32 [N, S, S, 3] in [-1, 1] to what `HMR.call` returns; any N.
        faces: triangles of `verts`: int32 [F, 3], counter-clockwise seen from outside.
        img_size: side S of a crop, pixels.
        batch_size: crops in one call of `network`.
    """

    def __init__(
        self,
        network: Callable[[tf.Tensor], Mapping[str, tf.Tensor]],
        faces: np.ndarray,
        img_size: int = 224,
        batch_size: int = BATCH_SIZE,
    ):
        self._network = network
        self.faces = faces
        self.img_size = img_size
        self.batch_size = batch_size

    def predict_crops(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Recovers the body in each crop.

        Args:
            images: float32 [N, S, S, 3] in [-1, 1]; any N, also none.

        Returns:
            dict of float32: `verts` [N, V, 3] and `joints3d` [N, K, 3] in metres, `joints`
            [N, K, 2] in pixels of the crop, `cams` [N, 3] `[s, tx, ty]`, `theta` [N, 85],
            `rotations` [N, 24, 3, 3] of each joint relative to its parent.

        Raises:
            ValueError: `images` has another shape.
        """
        images = np.asarray(images, np.float32)
        if images.ndim != 4 or images.shape[1:] != (self.img_size, self.img_size, 3):
            raise ValueError(
                f"Crops must be [N, {self.img_size}, {self.img_size}, 3]; "
                f"got {list(images.shape)}."
            )
        return self._in_batches(self._network, images)

    def _in_batches(self, function, rows):
        if not len(rows):  # convolutions fail on empty batches
            some = self._in_batches(function, np.zeros((1, *rows.shape[1:]), np.float32))
            return {name: value[:0] for name, value in some.items()}
        parts = [
            _with_rotations(function(tf.constant(rows[start : start + self.batch_size])))
            for start in range(0, len(rows), self.batch_size)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class Predictor(CropPredictor):
    """A network and the body it was trained with, whichever kind of file they came from.

    >>> predictor = load_predictor("models/model.ckpt-667589")
    >>> out = predictor.predict_crops(np.stack([crop.image for crop in crops]))

    Args:
        network: as of `CropPredictor`.
        decode: from theta float32 [N, 85] to what `network` returns.
        rig: the body's mesh and bones.
        img_size: as of `CropPredictor`.
        batch_size: rows in one call of `network` or `decode`.
    """

    def __init__(
        self,
        network: Callable[[tf.Tensor], Mapping[str, tf.Tensor]],
        decode: Callable[[tf.Tensor], Mapping[str, tf.Tensor]],
        rig: Rig,
        img_size: int = 224,
        batch_size: int = BATCH_SIZE,
    ):
        super().__init__(network, rig.faces, img_size, batch_size)
        self._decode = decode
        self.rig = rig

    def bodies_of(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """What `predict_crops` would return for crops in which it saw `theta` [N, 85]."""
        return self._in_batches(self._decode, np.asarray(theta, np.float32))


def _with_rotations(outputs) -> dict[str, np.ndarray]:
    if "rotations" not in outputs:
        _, pose, _ = split_theta(outputs["theta"])
        outputs = {**outputs, "rotations": batch_rodrigues(tf.reshape(pose, [-1, 24, 3]))}
    return {name: np.asarray(value) for name, value in outputs.items()}


class PictureCamera(NamedTuple):
    """Weak perspective of the whole picture: pixel = scale * (X[:2] + translation).

    `scale` float64 [2], pixels a metre along x and y, which differ by what sizes lost when they
    were cut down to whole pixels; `translation` float64 [2], metres.
    """

    scale: np.ndarray
    translation: np.ndarray

    @property
    def mean_scale(self) -> float:
        """The geometric mean of `scale`, with its sign: an untrained network's may be negative."""
        return float(np.copysign(np.sqrt(self.scale.prod()), self.scale[0]))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 3] in metres to pixels [..., 2] of the picture."""
        return self.scale * (points[..., :2] + self.translation)

    def perspective(self, size: tuple[int, int], focal_length: float) -> "PinholeCamera":
        """The pinhole camera in the picture's middle that sees the body's origin as this one does.

        At the origin's depth both scales agree, on both axes; nearer points are drawn larger.

        Args:
            size: (width, height) of the picture.
            focal_length: pixels.
        """
        middle = np.array(size) / 2.0
        return PinholeCamera(
            focal_length * self.scale / self.mean_scale,
            middle,
            np.array([*(self.translation - middle / self.scale), focal_length / self.mean_scale]),
        )


class PinholeCamera(NamedTuple):
    """pixel = focal_length * (X + translation)[:2] / (X + translation)[2] + principal_point.

    `focal_length` and `principal_point` float64 [2], pixels; `translation` float64 [3], metres.
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
    """Where a square crop lies in the picture.

    `scale` are the factors of x and y from the picture to the resized one that the crop is cut
    from; `start` the x, y of its corner there, pixels, negative in the padding, and whole unless
    only a part of the picture was resized; `img_size` its side, pixels.
    """

    scale: np.ndarray
    start: np.ndarray
    img_size: int

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Pixels of the crop [..., 2] to pixels of the picture."""
        return (points + self.start) / self.scale

    def picture_camera(self, cam: np.ndarray) -> PictureCamera:
        """The camera `[s, tx, ty]` of the crop as one of the picture.

        It takes points where `to_picture` takes their projections.
        """
        half = self.img_size / 2.0
        scale = half * np.float64(cam[0])
        return PictureCamera(
            scale / self.scale, np.asarray(cam[1:], np.float64) + (half + self.start) / scale
        )

    def cam_of(self, camera: PictureCamera) -> np.ndarray:
        """The inverse of `picture_camera`: float64 [3], `[s, tx, ty]`.

        A crop has one scale for both axes: of another camera's, the geometric mean is taken, and
        the body's origin stays on its pixel.
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
        """Where it lies, without its pixels."""
        return CropPlace(self.scale, self.start, self.img_size)

    @property
    def pixels(self) -> np.ndarray:
        """The crop as uint8 [S, S, 3]."""
        return np.round((self.image + 1.0) * 127.5).astype(np.uint8)


def crop_whole_picture(picture: np.ndarray, img_size: int = 224) -> Crop:
    """The crop the original's demo makes without a box: the longer side becomes `img_size`.

    Args:
        picture: RGB uint8 [H, W, 3].
    """
    height, width = picture.shape[:2]
    center = np.round(np.array([width, height]) / 2.0)
    return scale_and_crop(picture, img_size / max(height, width), center, img_size)


def crop_box(picture: np.ndarray, box: np.ndarray, img_size: int = 224) -> Crop:
    """The crop the original's demo makes round a person: the box's diagonal becomes 150 pixels.

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
        raise ValueError(f"The box {_numbers(box)} (x, y, width, height) is empty.")
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
    """Resizes, pads by the edge and crops around a point.

    Source: akanazawa/hmr src/util/image.py (scale_and_crop) and demo.py (preprocess_image). Where
    the whole picture would become larger than `MAX_RESIZED_PX`, only the part round the crop is
    resized.

    Args:
        picture: RGB uint8 [H, W, 3].
        scale: factor the picture is resized by; sizes are truncated to whole pixels.
        center: x, y of the crop's middle in the picture, pixels.
        img_size: side of the crop.
    """
    center = np.asarray(center, np.float64)
    if np.prod(np.array(picture.shape[:2]) * scale) > MAX_RESIZED_PX:
        part, corner = _part_around(picture, center, img_size / scale)
        if part.size < picture.size:
            crop = scale_and_crop(part, scale, center - corner, img_size)
            return dataclasses.replace(crop, start=crop.start + corner * crop.scale)
    size = np.floor(np.array(picture.shape[1::-1]) * scale).astype(int).clip(1)
    resized = cv2.resize(picture, tuple(size.tolist()))
    factors = size / np.array(picture.shape[1::-1], np.float64)
    start = np.round(center * factors).astype(int) - img_size // 2
    columns, rows = (
        np.clip(np.arange(img_size) + offset, 0, limit - 1)
        for offset, limit in zip(start, size, strict=True)
    )
    cut = resized[rows[:, np.newaxis], columns]
    return Crop(factors, start, img_size, 2.0 * (cut.astype(np.float32) / 255.0 - 0.5))


def _part_around(picture, center, side):
    """The part of a picture within `side` of `center`, and its corner x, y; never empty."""
    limit = np.array(picture.shape[1::-1])
    low = np.clip(np.floor(center - side), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(center + side), low + 1, limit).astype(int)
    return picture[low[1] : high[1], low[0] : high[0]], low


def _numbers(values) -> str:
    return ",".join(f"{float(value):g}" for value in values)


def export_folder(path: str | os.PathLike) -> pathlib.Path | None:
    """The folder of a SavedModel's version that `path` means, None if it means no SavedModel.

    Args:
        path: a version folder, or the folder of versions (the newest is taken).
    """
    path = pathlib.Path(path)
    if (path / "saved_model.pb").is_file():
        return path
    versions = [
        version
        for version in path.glob("[0-9]*")
        if version.name.isdigit() and (version / "saved_model.pb").is_file()
    ]
    return max(versions, key=lambda version: int(version.name), default=None)

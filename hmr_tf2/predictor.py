"""Pictures in, bodies out: the crop of the original's demo, a model, named results.

What demo, evaluation and export share; `hmr_tf2.loading.load_predictor` makes a `Predictor`.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping

import cv2
import numpy as np
import tensorflow as tf

from hmr_tf2.networks.regressor import split_theta
from hmr_tf2.smpl import batch_rodrigues
from hmr_tf2.smpl.rig import Rig

BATCH_SIZE = 16
SIGNATURE = "serving_default"


class Predictor:
    """Recovers the bodies in crops, whichever kind of file the network came from.

    >>> predictor = load_predictor("models/model.ckpt-667589")
    >>> out = predictor.predict_crops(np.stack([crop.image for crop in crops]))

    Args:
        network: from crops float32 [N, S, S, 3] in [-1, 1] to what `HMR.call` returns; any N.
        rig: the body's mesh and bones.
        img_size: side S of a crop, pixels.
        batch_size: crops in one call of `network`.
    """

    def __init__(
        self,
        network: Callable[[tf.Tensor], Mapping[str, tf.Tensor]],
        rig: Rig,
        img_size: int = 224,
        batch_size: int = BATCH_SIZE,
    ):
        self._network = network
        self.rig = rig
        self.img_size = img_size
        self.batch_size = batch_size

    @property
    def faces(self) -> np.ndarray:
        """Triangles of `verts`: int32 [F, 3], counter-clockwise seen from outside."""
        return self.rig.faces

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
        starts = range(0, max(len(images), 1), self.batch_size)
        parts = [self._predict_batch(images[start : start + self.batch_size]) for start in starts]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _predict_batch(self, images):
        out = dict(self._network(tf.constant(images)))
        if "rotations" not in out:
            _, pose, _ = split_theta(out["theta"])
            out["rotations"] = batch_rodrigues(tf.reshape(pose, [-1, 24, 3]))
        return {name: np.asarray(value) for name, value in out.items()}


@dataclasses.dataclass(frozen=True)
class Crop:
    """A square cut from the resized and edge-padded picture.

    `image` is float32 [S, S, 3] in [-1, 1]; `scale` the factors of x and y from the picture to the
    resized one; `start` the x, y of the crop's corner in it, pixels; negative in the padding.
    """

    image: np.ndarray
    scale: np.ndarray
    start: np.ndarray

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Pixels of the crop [..., 2] to pixels of the picture."""
        return (points + self.start) / self.scale

    @property
    def pixels(self) -> np.ndarray:
        """The crop as uint8 [S, S, 3]."""
        return np.round((self.image + 1.0) * 127.5).astype(np.uint8)


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """Reads a picture as RGB uint8 [H, W, 3].

    Raises:
        OSError: there is no such file.
        ValueError: it is no picture that OpenCV can read.
    """
    content = np.frombuffer(pathlib.Path(path).read_bytes(), np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if picture is None:
        raise ValueError(f"{path} is not a picture that can be read (JPEG, PNG, ...).")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def crop_whole_picture(picture: np.ndarray, img_size: int = 224) -> Crop:
    """The crop the original's demo makes without a box: the longer side becomes `img_size`.

    Args:
        picture: RGB uint8 [H, W, 3].
    """
    height, width = picture.shape[:2]
    center = np.round(np.array([width, height]) / 2.0)
    return scale_and_crop(picture, img_size / max(height, width), center, img_size)


def scale_and_crop(
    picture: np.ndarray, scale: float, center: np.ndarray, img_size: int = 224
) -> Crop:
    """Resizes, pads by the edge and crops around a point.

    Source: akanazawa/hmr src/util/image.py (scale_and_crop) and demo.py (preprocess_image).

    Args:
        picture: RGB uint8 [H, W, 3].
        scale: factor the picture is resized by; sizes are truncated to whole pixels.
        center: x, y of the crop's middle in the picture, pixels.
        img_size: side of the crop.
    """
    size = np.floor(np.array(picture.shape[1::-1]) * scale).astype(int).clip(1)
    resized = cv2.resize(picture, tuple(size.tolist()))
    factors = size / np.array(picture.shape[1::-1], np.float64)
    start = np.round(center * factors).astype(int) - img_size // 2
    columns, rows = (
        np.clip(np.arange(img_size) + offset, 0, limit - 1)
        for offset, limit in zip(start, size, strict=True)
    )
    cut = resized[rows[:, np.newaxis], columns]
    return Crop(2.0 * (cut.astype(np.float32) / 255.0 - 0.5), factors, start)


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


def load_export(folder: str | os.PathLike, signature: str = SIGNATURE):
    """The function of a SavedModel that `hmr_tf2.export` wrote, from arrays to a dict of arrays.

    Args:
        folder: a version folder, or the folder of versions (the newest is taken).

    Raises:
        FileNotFoundError: there is no SavedModel.
    """
    version = export_folder(folder)
    if version is None:
        raise FileNotFoundError(f"{folder} holds no SavedModel and no version folder of one.")
    loaded = tf.saved_model.load(str(version))
    function = loaded.signatures[signature]

    def predict(images: np.ndarray) -> dict[str, np.ndarray]:
        # Holds on to `loaded`, whose variables live only as long as it does.
        outputs = function(tf.constant(images)) if loaded is not None else {}
        return {name: value.numpy() for name, value in outputs.items()}

    return predict

"""Pictures in, bodies out: the crop of the original's demo, a model, named results.

What demo, evaluation and export share. A predictor is any callable from crops float32
[N, 224, 224, 3] in [-1, 1] to a dict of arrays: `HMR.predict`, or `load_export` of a folder.
"""

import dataclasses
import os
import pathlib

import cv2
import numpy as np
import tensorflow as tf


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


def load_export(folder: str | os.PathLike, signature: str = "serving_default"):
    """A predictor from a SavedModel that `hmr_tf2.export` wrote.

    Args:
        folder: a version folder, or the folder of versions (the newest is taken).

    Raises:
        FileNotFoundError: there is no SavedModel.
    """
    folder = pathlib.Path(folder)
    if not (folder / "saved_model.pb").is_file():
        versions = [v for v in folder.glob("[0-9]*") if v.name.isdigit() and v.is_dir()]
        if not versions:
            raise FileNotFoundError(f"{folder} holds no SavedModel and no version folder of one.")
        folder = max(versions, key=lambda version: int(version.name))
    loaded = tf.saved_model.load(str(folder))
    function = loaded.signatures[signature]

    def predict(images: np.ndarray) -> dict[str, np.ndarray]:
        # Holds on to `loaded`, whose variables live only as long as it does.
        outputs = function(tf.constant(images)) if loaded is not None else {}
        return {name: value.numpy() for name, value in outputs.items()}

    return predict

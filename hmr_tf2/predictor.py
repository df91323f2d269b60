"""Crops in, bodies out: runs a network in batches, wherever it is, and names its results.

The demo, the evaluation and the export share it; `hmr_tf2.loading.load_predictor` makes one.
"""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from hmr_tf2.smpl.rig import Rig
from hmr_tf2.theta import with_rotations

BATCH_SIZE = 16


class CropPredictor:
    """Recovers the bodies in crops, wherever the network runs; enough to draw them.

    Args:
        network: maps crops, float32 [N, S, S, 3] in [-1, 1], to what `HMR.call` returns; any N.
        faces: triangles of `verts`: int32 [F, 3], counter-clockwise when seen from outside.
        img_size: side S of a crop, pixels.
        batch_size: number of crops in one call of `network`.
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
            images: float32 [N, S, S, 3] in [-1, 1]; any N, including 0.

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
        size = self.batch_size
        parts = [
            _as_arrays(with_rotations(function(tf.constant(rows[start : start + size]))))
            for start in range(0, len(rows), size)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class Predictor(CropPredictor):
    """A network and the body it was trained with, whichever kind of file they came from.

    >>> predictor = load_predictor("models/model.ckpt-667589")
    >>> out = predictor.predict_crops(np.stack([crop.image for crop in crops]))

    Args:
        network: see `CropPredictor`.
        decode: maps theta, float32 [N, 85], to what `network` returns.
        rig: the body's mesh and bones.
        img_size: see `CropPredictor`.
        batch_size: number of rows in one call of `network` or `decode`.
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
        """What `predict_crops` returns for crops in which the network sees `theta` [N, 85]."""
        return self._in_batches(self._decode, np.asarray(theta, np.float32))


def _as_arrays(outputs: Mapping[str, tf.Tensor]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in outputs.items()}

"""The camera of HMR: scaled orthographic projection of a crop (paper section 3.1)."""

import tensorflow as tf


def batch_orth_proj_idrot(X: tf.Tensor, camera: tf.Tensor) -> tf.Tensor:
    """Projects points with the weak-perspective camera of each body, without rotation.

    Source: akanazawa/hmr src/tf_smpl/projection.py.

    Args:
        X: float32 [N, K, 3], metres.
        camera: float32 [N, 3], `[s, tx, ty]`.

    Returns:
        float32 [N, K, 2], `s * (x + tx, y + ty)`: [-1, 1] is the crop from edge to edge.
    """
    camera = camera[:, tf.newaxis, :]
    # The original's code translates before it scales (the paper writes s * X + t): tx and ty are
    # metres, not coordinates of the crop.
    return camera[..., :1] * (X[..., :2] + camera[..., 1:])


def crop_to_pixels(points: tf.Tensor, img_size: int) -> tf.Tensor:
    """Maps coordinates in [-1, 1] of the crop to pixels in [0, img_size]; any shape."""
    # -1 and 1 are the outer edges of the border pixels, not their centres (as in the original).
    return (points + 1.0) * (0.5 * img_size)

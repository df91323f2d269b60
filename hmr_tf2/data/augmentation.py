"""One person to one training crop: scale, crop, mirror. Draws no random numbers itself.

Pictures are uint8 [H, W, 3] as decoded; points are pixels of them, x first.
"""

import tensorflow as tf

from tfrecords_tools import joints


def scaled_size(height: tf.Tensor, width: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Size (height, width) in whole pixels, int32 [2], truncated as the original does."""
    size = tf.cast(tf.stack([height, width]), tf.float32)
    return tf.cast(size * scale, tf.int32)


def crop_scaled(
    image: tf.Tensor, new_size: tf.Tensor, start: tf.Tensor, img_size: int, mirror: tf.Tensor
) -> tf.Tensor:
    """A square crop of the resized and edge-padded picture, computing only its own pixels.

    KEEP: bilinear without half-pixel centres and without antialiasing, TensorFlow 1's
    `resize_bilinear`; every pixel equals that of resizing all, padding and cropping.

    Args:
        image: uint8 [H, W, 3].
        new_size: int32 [2], height and width to resize to.
        start: int32 [2], x and y of the crop's corner in the resized picture; may lie outside.
        img_size: side of the crop.
        mirror: bool [], flip left to right.

    Returns:
        float32 [img_size, img_size, 3] in [-1, 1].
    """
    steps = tf.range(img_size)
    columns = tf.where(mirror, img_size - 1 - steps, steps)
    top, bottom, y_lerp = _sample_points(start[1] + steps, tf.shape(image)[0], new_size[0])
    left, right, x_lerp = _sample_points(start[0] + columns, tf.shape(image)[1], new_size[1])
    x_lerp, y_lerp = x_lerp[:, tf.newaxis], y_lerp[:, tf.newaxis, tf.newaxis]

    def row(rows):
        pixels = tf.gather(image, rows)
        a, b = (
            tf.image.convert_image_dtype(tf.gather(pixels, at, axis=1), tf.float32)
            for at in (left, right)
        )
        return a + (b - a) * x_lerp

    above = row(top)
    return (above + (row(bottom) - above) * y_lerp - 0.5) * 2.0


def _sample_points(positions, size, new_size):
    """Neighbours and weight along one axis for pixels `positions` of the resized picture."""
    ratio = tf.cast(size, tf.float32) / tf.cast(new_size, tf.float32)
    inside = tf.cast(tf.clip_by_value(positions, 0, new_size - 1), tf.float32)
    source = inside * ratio
    low = tf.floor(source)
    high = tf.minimum(tf.cast(tf.math.ceil(source), tf.int32), size - 1)
    return tf.cast(low, tf.int32), high, source - low


def mirror_keypoints(keypoints: tf.Tensor, img_size: int) -> tf.Tensor:
    """Mirrors [19, 3] keypoints (x, y in pixels of the crop, visibility) and swaps the sides."""
    x, y, visible = tf.unstack(keypoints, axis=1)
    mirrored = tf.stack([img_size - x - 1.0, y, visible], axis=1)
    return tf.gather(mirrored, joints.COCO_PLUS.flipped)


def mirror_pose(pose: tf.Tensor) -> tf.Tensor:
    """Mirrors an SMPL pose [72] left to right, root included."""
    axis_angles = tf.gather(tf.reshape(pose, [24, 3]), joints.SMPL.flipped)
    return tf.reshape(axis_angles * [1.0, -1.0, -1.0], [72])


def mirror_joints_3d(joints_3d: tf.Tensor) -> tf.Tensor:
    """Mirrors [14, 3] joints in x, swaps the sides and (KEEP) centres them on their mean."""
    mirrored = tf.gather(joints_3d * [-1.0, 1.0, 1.0], joints.LSP.flipped)
    return mirrored - tf.reduce_mean(mirrored, axis=0)


def normalise_keypoints(keypoints: tf.Tensor, img_size: int) -> tf.Tensor:
    """Pixels of the crop to [-1, 1], visibility to 0 or 1, invisible points to zero: [19, 3]."""
    visible = tf.cast(keypoints[:, 2:] > 0, tf.float32)
    xy = 2.0 * (keypoints[:, :2] / img_size) - 1.0
    return visible * tf.concat([xy, visible], axis=1)

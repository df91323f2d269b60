"""Crops a batch of encoded pictures; a broken one does no harm to the others."""

from typing import NamedTuple

import tensorflow as tf

from hmr_tf2.serving.cropping import Crop, crop_box, crop_whole_picture
from hmr_tf2.serving.decoding import decode_stored
from tfrecords_tools.pipelines import ends_promptly

# This bounds the memory of a request: a decoded picture is dropped once it is cropped.
DECODED_AT_ONCE = 4


class CropBatch(NamedTuple):
    """Crops of N pictures, zeros where one is not `valid`; at least one row, even for N = 0.

    `pixels` uint8 [max(N, 1), S, S, 3]; `scale` and `start` float64 [max(N, 1), 2] as in
    `crops.Crop`; `valid` bool [max(N, 1)].
    """

    pixels: tf.Tensor
    scale: tf.Tensor
    start: tf.Tensor
    valid: tf.Tensor


def crop_batch(
    image_bytes: tf.Tensor, boxes: tf.Tensor | None = None, img_size: int = 224
) -> CropBatch:
    """Decodes and crops pictures, several at once.

    A kernel that meets a broken picture fails its whole graph. Inside a `tf.data.Dataset` it fails
    one element, which `ignore_errors` drops. All the kernels involved are TensorFlow's own.

    Args:
        image_bytes: string [N]; JPEG or PNG.
        boxes: float32 [N, 4], x, y, width, height in pixels of the upright pictures; None means
            the whole pictures.
        img_size: side S of a crop.
    """
    count = tf.size(image_bytes)
    elements = {"index": tf.range(count), "data": image_bytes}
    if boxes is not None:
        elements["box"] = boxes

    @tf.autograph.experimental.do_not_convert
    def crop(element):
        picture, orientation = decode_stored(element["data"])
        if boxes is None:
            made = crop_whole_picture(picture, img_size, orientation)
        else:
            made = crop_box(picture, element["box"], img_size, orientation)
        return element["index"], tf.constant(1), made

    dataset = (
        tf.data.Dataset.from_tensor_slices(elements)
        .map(crop, num_parallel_calls=DECODED_AT_ONCE)
        .ignore_errors()
        # So that there is an element even if all are broken. `_in_place` adds its zeros to row 0.
        .concatenate(tf.data.Dataset.from_tensors((0, 0, _nothing(img_size))))
        .batch(tf.cast(count, tf.int64) + 1)
    )
    index, valid, crops = ends_promptly(dataset).get_single_element()
    num_rows = tf.maximum(count, 1)
    in_place = [_in_place(rows, index, num_rows) for rows in crops]
    return CropBatch(*in_place, valid=_in_place(valid, index, num_rows) > 0)


def _nothing(img_size) -> Crop:
    """A crop of zeros."""
    pixels = tf.zeros([img_size, img_size, 3], tf.uint8)
    return Crop(pixels, tf.zeros([2], tf.float64), tf.zeros([2], tf.float64))


def _in_place(rows, index, num_rows):
    """[num_rows, ...]: each of `rows` at its `index`, zeros elsewhere."""
    shape = tf.concat([[num_rows], tf.shape(rows)[1:]], 0)
    return tf.scatter_nd(index[:, tf.newaxis], rows, shape)

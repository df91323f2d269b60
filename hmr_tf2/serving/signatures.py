"""The functions that a server offers: from pictures, pictures with boxes, or crops to bodies; and
the mesh that these bodies share.
"""

from collections.abc import Callable

import tensorflow as tf

from hmr_tf2.hmr import HMR
from hmr_tf2.serving.batches import CropBatch, crop_batch
from hmr_tf2.smpl.rig import load_rig
from hmr_tf2.theta import decode_theta, theta_decoder, with_rotations

BODY_SIGNATURES = ("serving_default", "predict_boxes", "predict_crops")
SIGNATURES = (*BODY_SIGNATURES, "mesh")
IMAGE_BYTES = tf.TensorSpec([None], tf.string, "image_bytes")
Bodies = Callable[[tf.Tensor], dict[str, tf.Tensor]]


def serving_module(
    model: HMR, vertices: bool = True, encoder: Callable[[tf.Tensor], tf.Tensor] | None = None
) -> tf.Module:
    """A module with the variables for prediction, the `SIGNATURES`, and the body's `rig`.

    It holds no Keras objects, which would bring the training graph with them.

    Args:
        model: the model to serve.
        vertices: whether the signatures return `verts`, and `mesh` its triangles.
        encoder: computes from crops [N, S, S, 3] in [-1, 1] what `model.encoder` does, and has the
            `variables` that it reads; None means the model's own.
    """
    size = model.config.img_size
    module = tf.Module(name="hmr")
    module.weights = [
        *(encoder or model.encoder).variables,
        *model.regressor.variables,
        *model.smpl.variables,
    ]
    module.rig = _rig_variables(model.config.smpl_model_path)
    module.decode_theta = theta_decoder(model.smpl, size)
    bodies = _bodies_function(model, vertices, encoder)
    module.serving_default = _serving_default(bodies, size)
    module.predict_boxes = _predict_boxes(bodies, size)
    module.predict_crops = _predict_crops(bodies, size)
    module.mesh = _mesh(module.rig["faces"], vertices, size)
    return module


def _rig_variables(smpl_model_path) -> dict[str, tf.Variable]:
    rig = load_rig(smpl_model_path)
    return {name: tf.Variable(value, trainable=False) for name, value in rig._asdict().items()}


def _crops_spec(size) -> tf.TensorSpec:
    return tf.TensorSpec([None, size, size, 3], tf.float32, "images")


def _bodies_function(model, vertices, encoder) -> Bodies:
    """From crops to bodies; `joints` are in pixels of the crop.

    It is a function of its own, so that the signatures that call it share one copy of its graph.
    """
    size = model.config.img_size

    @tf.function(input_signature=[_crops_spec(size)], autograph=False)
    def bodies(images):
        features = encoder(images) if encoder else model.encoder(images, training=False)
        outputs = decode_theta(model.smpl, model.regressor(features)[-1], size)
        if not vertices:
            del outputs["verts"]
        return with_rotations(outputs)

    return bodies


def _serving_default(bodies, size):
    """From encoded pictures, each of one person, to bodies in the pictures' pixels."""

    @tf.function(input_signature=[IMAGE_BYTES], autograph=False)
    def serving_default(image_bytes):
        crops = crop_batch(image_bytes, img_size=size)
        return _bodies_in_pictures(bodies, crops, tf.size(image_bytes))

    return serving_default


def _predict_boxes(bodies, size):
    """From encoded pictures, with the box of a person in each, to bodies in their pixels."""

    @tf.function(
        input_signature=[IMAGE_BYTES, tf.TensorSpec([None, 4], tf.float32, "boxes")],
        autograph=False,
    )
    def predict_boxes(image_bytes, boxes):
        count = tf.size(image_bytes)
        one_each = tf.debugging.assert_equal(
            tf.shape(boxes)[0], count, "There must be as many boxes as image_bytes."
        )
        with tf.control_dependencies([one_each]):
            return _bodies_in_pictures(bodies, crop_batch(image_bytes, boxes, size), count)

    return predict_boxes


def _predict_crops(bodies, size):
    """From crops as the network takes them to bodies in the crops' pixels."""

    @tf.function(input_signature=[_crops_spec(size)], autograph=False)
    def predict_crops(images):
        count = tf.shape(images)[0]
        # Convolutions fail on empty batches.
        rows = tf.pad(images, [[0, tf.cast(count == 0, tf.int32)], [0, 0], [0, 0], [0, 0]])
        valid = tf.reduce_all(tf.math.is_finite(rows), axis=[1, 2, 3])
        return _only_valid(bodies(rows), valid, count)

    return predict_crops


def _mesh(all_faces, vertices, size):
    """The triangles of `verts`, none if the bodies have none, and the side of a crop."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "rows")], autograph=False)
    def mesh(rows):
        # A server that batches requests demands a row of output for each row of input.
        count, faces = tf.size(rows), all_faces[: None if vertices else 0]
        return {
            "faces": tf.broadcast_to(faces, tf.concat([[count], tf.shape(faces)], 0)),
            "img_size": tf.fill([count], size),
        }

    return mesh


def _bodies_in_pictures(bodies, crops: CropBatch, count):
    """The bodies in the first `count` crops; `joints` are in pixels of the pictures."""
    outputs = bodies(_as_network_input(crops.pixels))
    outputs["joints"] = _to_picture(outputs["joints"], crops)
    return _only_valid(outputs, crops.valid, count)


def _as_network_input(pixels):
    """uint8 to [-1, 1], in the order of `crops.scale_and_crop`."""
    return 2.0 * (tf.cast(pixels, tf.float32) / 255.0 - 0.5)


def _to_picture(joints, crops):
    """`CropPlace.to_picture` for joints [N, K, 2]; invalid rows, of scale 0, become zeros."""
    moved = tf.cast(joints, tf.float64) + crops.start[:, tf.newaxis]
    return tf.cast(tf.math.divide_no_nan(moved, crops.scale[:, tf.newaxis]), tf.float32)


def _only_valid(outputs, valid, count):
    """The first `count` rows, zeros where they are not `valid`; and `valid` itself."""
    rows = {}
    for name, value in outputs.items():
        kept = tf.reshape(valid, tf.concat([[-1], tf.ones(len(value.shape) - 1, tf.int32)], 0))
        rows[name] = tf.where(kept, value, tf.zeros_like(value))[:count]
    return {**rows, "valid": valid[:count]}

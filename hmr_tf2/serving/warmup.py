"""Requests that TF Serving replays before it offers a new version, so that no client waits."""

import io
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import prediction_log_pb2

# Where TF Serving looks for them in a version's folder.
WARMUP_FILE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")
PICTURE_SIZE = (120, 90)
BOX = (10.0, 10.0, 60.0, 100.0)


def write_warmup(
    folder: str | os.PathLike, model_name: str, batch_sizes: Sequence[int], img_size: int
) -> None:
    """Writes a request for each signature and batch size: a TFRecord file of PredictionLogs.

    Args:
        folder: the version's folder.
        model_name: the name under which it is served.
        batch_sizes: the sizes of the batches that the server forms.
        img_size: side of a crop, pixels.
    """
    path = pathlib.Path(folder) / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for batch in batch_sizes:
            for signature, inputs in _requests(batch, img_size):
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.name = model_name
                request.model_spec.signature_name = signature
                for name, tensor in inputs.items():
                    request.inputs[name].CopyFrom(tensor)
                writer.write(log.SerializeToString())


def _requests(batch, img_size) -> Iterator[tuple[str, dict]]:
    picture = np.random.default_rng(0).integers(0, 256, (*PICTURE_SIZE, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG")
    image_bytes = tf.make_tensor_proto([buffer.getvalue()] * batch)
    yield "serving_default", {"image_bytes": image_bytes}
    boxes = tf.make_tensor_proto([BOX] * batch)
    yield "predict_boxes", {"image_bytes": image_bytes, "boxes": boxes}
    # One value stands for all, which takes 20 bytes rather than 19 MB.
    yield (
        "predict_crops",
        {"images": tf.make_tensor_proto(0.0, shape=[batch, img_size, img_size, 3])},
    )
    yield "mesh", {"rows": tf.make_tensor_proto(0.0, shape=[batch])}

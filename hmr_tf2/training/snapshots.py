"""Every so many steps, for TensorBoard: pictures of the batch, and the discriminator's outputs."""

import contextlib
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import camera
from hmr_tf2.hmr import tensorboard as pictures
from tfrecords_tools import joints

# Columns of the discriminator's output; the original's words for the last two.
D_OUTPUTS = (*joints.SMPL.names[1:], "all_joints", "beta")


class Snapshots(keras.callbacks.Callback):
    """Shows what the step that is about to run makes of its batch.

    As in the original that is the training pass: statistics of the batch, and dropout. It is
    computed once more, for Keras hands out losses only, and leaves the model as it was. A
    snapshot has the number of its step, as the losses of the same pass have.

    Tags: `vis_images/0` to `5`, see `pictures.draw_stages`; histograms `d_out/<joint>/real` and
    `d_out/<joint>/fake`, of motion capture and of the bodies of all stages.

    Args:
        writer: of TensorBoard files.
        read_batch: from a step's number, counted from 0, to its batch.
        every: steps between snapshots; the session's first step has one as well.
    """

    def __init__(
        self,
        writer: tf.summary.SummaryWriter,
        read_batch: Callable[[int], Mapping[str, tf.Tensor]],
        every: int,
    ):
        super().__init__()
        self.writer = writer
        self.read_batch = read_batch
        self.every = every
        self._period = None

    def on_epoch_begin(self, epoch, logs=None):
        # The session's first one; before its first step, Keras would call that step slow.
        self.on_train_batch_begin(0)

    def on_train_batch_begin(self, batch, logs=None):
        done = int(self.model.optimizer.iterations.numpy())
        if done // self.every == self._period:
            return
        self._period = done // self.every
        drawn, d_out = snapshot(self.model, self.read_batch(done))
        with self.writer.as_default(step=done + 1):
            for number, picture in enumerate(drawn):
                tf.summary.image(f"vis_images/{number}", picture[np.newaxis])
            for name, values in d_out.items():
                tf.summary.histogram(name, values)


def snapshot(model, batch) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """What the next training step makes of `batch`: pictures, and by tag the outputs of D [M]."""
    config = model.config
    rows = pictures.shown_rows(len(batch["image"]))
    with averages_kept(model):
        stages = model.train_stages(batch["image"])
    # Stage 0's rows lie first: [T, rows].
    picked = np.add.outer(np.arange(config.num_stage) * len(batch["image"]), rows)
    vertices = model.smpl.vertices_of(stages.body.take(picked.reshape(-1))).numpy()
    vertices = vertices.reshape(*picked.shape, *vertices.shape[1:])
    points = camera.crop_to_pixels(stages.joints, config.img_size).numpy()[picked]
    cams = stages.cams.numpy()[picked]
    label = batch["label"].numpy()[rows][:, : points.shape[2]]
    label[..., :2] = camera.crop_to_pixels(label[..., :2], config.img_size)
    crops = ((batch["image"].numpy()[rows] + 1.0) * 127.5).round().astype(np.uint8)
    drawn = [
        pictures.draw_stages(
            crops[i], label[i], points[:, i], vertices[:, i], cams[:, i], model.smpl.faces
        )
        for i in range(len(rows))
    ]
    return drawn, _discriminator_outputs(model, batch, stages)


def _discriminator_outputs(model, batch, stages):
    if model.discriminator is None:
        return {}
    real, fake = model.discriminate(
        stages.body.Rs, stages.shape, batch["mocap_pose"], batch["mocap_shape"]
    )
    return {
        f"d_out/{name}/{kind}": values[:, column].numpy()
        for kind, values in (("real", real), ("fake", fake))
        for column, name in enumerate(D_OUTPUTS)
    }


@contextlib.contextmanager
def averages_kept(model):
    """Afterwards the batch norms' averages are, to the bit, what they were."""
    averages = model.encoder.non_trainable_variables
    before = [variable.numpy() for variable in averages]
    try:
        yield
    finally:
        for variable, value in zip(averages, before, strict=True):
            variable.assign(value)


def batch_reader(batches: Callable[[tf.Tensor], tf.data.Dataset]):
    """A function from a step's number to its batch, of one that gives the batches from there on.

    The pipeline is built once.
    """

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)], autograph=False)
    def read(step):
        return batches(step).take(1).get_single_element()

    return lambda step: read(tf.constant(step, tf.int64))

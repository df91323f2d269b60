"""A model with its own training step: its parts, their optimisers, and how they are updated.

A model has one or two parts, each with its own loss and its own Adam: `e`, which predicts (encoder
and regressor), and `d`, the discriminator. A step updates both from the same forward pass.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import replicas
from hmr_tf2.checkpoints.weights import Slot
from hmr_tf2.config import ModelConfig
from tfrecords_tools.pipelines import ends_promptly

ADAM_EPSILON = 1e-8

LossScaleOptimizer = keras.mixed_precision.LossScaleOptimizer


class RecordedLosses(NamedTuple):
    """A forward pass from which gradients can be taken once; by part `e` and perhaps `d`.

    `tapes` hold the pass; `scaled` are the losses to differentiate, see `scaled_loss`; `logs` are
    the losses to be logged, by their names.
    """

    tapes: dict[str, tf.GradientTape]
    scaled: dict[str, tf.Tensor]
    logs: dict[str, tf.Tensor]


class TrainedModel(keras.Model):
    """The base class of HMR, HMMR and the like: compiling, the training step, names of weights.

    AutoGraph is kept away from it, as from all of this package: nothing here needs it, and while
    it leaves `keras` alone it would rewrite all of `tf_keras`, for up to a minute.

    A subclass tells its parts (`parts`), the loss of each (`compute_losses`), what a run saves of
    it (`checkpoint_parts`), and what files call its weights (`weight_slots`).

    Args:
        config: settings; `batch_size`, `seed`, `clip_norm`, `mixed_precision` and `deterministic`
            are read here, and the learning rates `e_lr` and `d_lr`.
        name: see `keras.Model`.
    """

    def __init__(self, config: ModelConfig, name: str):
        super().__init__(name=name, dtype="float32")
        self.config = config
        self.d_optimizer = None
        # `train_step` already returns sums over the replicas; Keras would sum them once more.
        self.distribute_reduction_method = "first"

    @tf.autograph.experimental.do_not_convert
    def __call__(self, *args, **kwargs):
        """As Keras' own; see `call`."""
        return super().__call__(*args, **kwargs)

    def parts(self) -> dict[str, list[tf.Variable]]:
        """The variables that each part trains; the first part is `e`, and its optimiser counts
        the steps. A second part, if there is one, is `d`.
        """
        raise NotImplementedError

    def compute_losses(
        self, batch: Mapping[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """One training forward pass.

        Returns:
            The loss of each part, and everything to be logged by name, each float32 []. On
            several replicas each is this replica's share (see `losses`).
        """
        raise NotImplementedError

    def checkpoint_parts(self) -> dict[str, tf.Module]:
        """What a run saves, by key in the checkpoint; the optimisers are added to it."""
        raise NotImplementedError

    def weight_slots(self, kind: str, present: Collection[str] | None = None) -> dict[str, Slot]:
        """The model's weights by their names in files of one format.

        Args:
            kind: the format, such as `tf1.KIND`.
            present: the names in a particular file. Then only the weights that this file must
                have are returned: fewer, if it is known to hold only part of the model.

        Raises:
            ValueError: the model has no names for this format.
        """
        raise ValueError(f"{self.name} cannot be loaded from files of the kind {kind!r}.")

    def holds_encoder_only(self, present: Collection[str]) -> bool:
        """Whether a file with these names holds only the image encoder of the model."""
        return False

    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """The optimiser of each part of a compiled model."""
        return {
            part: self.optimizer if number == 0 else self.d_optimizer
            for number, part in enumerate(self.parts())
        }

    def moving_averages(self) -> list[tf.Variable]:
        """What a training pass changes without a gradient: the batch norms' moving averages."""
        return [
            variable
            for variable in self.non_trainable_variables
            if variable.name.split("/")[-1].startswith("moving_")
        ]

    def compile(self, e_lr=None, d_lr=None, **kwargs):
        """Makes an Adam optimiser for each part; `optimizer` is that of the first.

        The legacy class computes what TF 1's does: one fused kernel per variable, and epsilon
        outside the bias correction.

        Args:
            e_lr: learning rate or schedule of encoder and regressor; None means the config's.
            d_lr: the same for the discriminator.
            **kwargs: see `keras.Model.compile`.
        """
        given = {"e": e_lr, "d": d_lr}
        first, *others = (
            keras.optimizers.legacy.Adam(
                getattr(self.config, f"{part}_lr") if given[part] is None else given[part],
                epsilon=ADAM_EPSILON,
            )
            for part in self.parts()
        )
        # The discriminator is always float32, so only the first part's gradients can underflow.
        if self.config.mixed_precision == "float16":
            first = LossScaleOptimizer(first)
        super().compile(optimizer=first, **kwargs)
        self.d_optimizer = others[0] if others else None

    def build_optimizers(self) -> None:
        """Creates the optimisers' slots now rather than in the first step."""
        optimizers = self.optimizers()
        for part, variables in self.parts().items():
            # Private, because the legacy optimisers have no public `build`, and only among them is
            # TF 1's Adam.
            optimizers[part]._create_all_weights(variables)

    def make_train_function(self, force=False):
        """As Keras' own, for `fit` and `train_on_batch`."""
        if self.train_function is None:
            # Or the step would be traced twice, first to create their slots.
            self.build_optimizers()
        return super().make_train_function(force)

    @tf.autograph.experimental.do_not_convert
    def train_step(self, data):
        """Updates every part from a single forward pass with the old weights.

        Returns:
            dict of this step's losses before the update, under the original's names.
        """
        batch, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        recorded = self.record_losses(batch)
        # All gradients are taken before any weight changes: the original runs both train
        # operations in one `session.run` (src/trainer.py, train), so the encoder learns from the
        # discriminator of before the step. Updating `d` first, as many GANs do, would differ.
        self.apply_gradients(self.gradients_of(recorded))
        return replicas.total(recorded.logs)

    def record_losses(self, batch: Mapping[str, tf.Tensor]) -> RecordedLosses:
        """The forward pass of a step: its losses, and what their gradients are taken from."""
        parts, optimizers = self.parts(), self.optimizers()
        # One tape per part rather than a persistent one, which would hold on to every activation
        # until both gradients are taken.
        with contextlib.ExitStack() as stack:
            tapes = {part: stack.enter_context(tf.GradientTape()) for part in parts}
            losses, logs = self.compute_losses(batch)
            # The multiplication must be recorded, or the gradients would not be scaled.
            scaled = {part: scaled_loss(optimizers[part], losses[part]) for part in parts}
        return RecordedLosses(tapes, scaled, logs)

    def gradients_of(self, recorded: RecordedLosses) -> dict[str, list[tf.Tensor]]:
        """The backward pass: for each part the gradients of its variables; see `gradients`."""
        optimizers = self.optimizers()
        # Each part is differentiated with respect to its own variables alone. That is what keeps
        # the discriminator's loss from training the encoder that made its input.
        return {
            part: gradients(
                recorded.tapes[part],
                optimizers[part],
                recorded.scaled[part],
                variables,
                self.config.clip_norm,
                self.config.deterministic,
            )
            for part, variables in self.parts().items()
        }

    def apply_gradients(self, found: Mapping[str, Sequence[tf.Tensor]]) -> None:
        """The update of every part by its optimiser."""
        optimizers = self.optimizers()
        for part, variables in self.parts().items():
            optimizers[part].apply_gradients(
                # `gradients` has already summed over the replicas. It is not a mean, since each
                # replica's losses are already divided by the counts of the whole batch.
                zip(found[part], variables, strict=True),
                experimental_aggregate_gradients=False,
            )

    def train_on_batch(self, x, return_dict=False, **kwargs):
        """Like Keras' own, which refuses a batch whose mocap rows outnumber its images.

        Only `x`, the dict of `compute_losses`, is accepted.
        """
        unused = [name for name, value in kwargs.items() if value is not None]
        if unused:
            raise ValueError(f"train_on_batch takes one dict of arrays; got also {unused}.")
        if getattr(self, "optimizer", None) is None:
            raise RuntimeError("The model has no optimiser yet: call compile() before training.")
        self.train_function = self.make_train_function()
        batches = iter(ends_promptly(tf.data.Dataset.from_tensors(x)))
        logs = {name: value.numpy() for name, value in self.train_function(batches).items()}
        return logs if return_dict else list(logs.values())

    def dropout_seed(self) -> tf.Tensor:
        """The seed of this step, int64 [2]: the run's, and the number of updates so far."""
        # A function of the step alone, so that a resumed run draws the masks that it would have
        # drawn. With float16 the count includes steps that were skipped.
        return tf.stack([tf.cast(self.config.seed, tf.int64), self.optimizer.iterations])


def scaled_loss(optimizer: keras.optimizers.Optimizer, loss: tf.Tensor) -> tf.Tensor:
    """The loss to differentiate: multiplied by the optimiser's loss scale, if any (float16)."""
    return optimizer.get_scaled_loss(loss) if _scales(optimizer) else loss


def gradients(
    tape: tf.GradientTape,
    optimizer: keras.optimizers.Optimizer,
    loss: tf.Tensor,
    variables: Sequence[tf.Variable],
    clip_norm: float = 0.0,
    fixed_order: bool = False,
) -> list[tf.Tensor]:
    """Gradients of `scaled_loss`, unscaled, summed over the replicas, clipped.

    Args:
        tape: the tape that recorded the loss.
        optimizer: its loss scale, if any, is divided out again.
        loss: what `scaled_loss` returned.
        variables: what to differentiate with respect to.
        clip_norm: largest norm of all gradients together; 0 means no clipping.
        fixed_order: sum the gradients of a tensor in pairs. The usual sum of three or more adds
            them in the order in which buffers become free, which differs from run to run.
    """
    # `tf.gradients` can be told how to sum, which a tape cannot; it exists in graphs only.
    if fixed_order and not tf.executing_eagerly():
        found = tf.gradients(
            loss, variables, aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE
        )
    else:
        found = tape.gradient(loss, variables)
    # Unscale, sum, clip, in this order: the norm is that of the true gradient of the whole batch,
    # the same on any number of devices.
    if _scales(optimizer):
        found = optimizer.get_unscaled_gradients(found)
    found = replicas.total(found)
    return tf.clip_by_global_norm(found, clip_norm)[0] if clip_norm else found


def _scales(optimizer):
    return isinstance(optimizer, LossScaleOptimizer)


def kernels(variables: Sequence[tf.Variable]) -> list[tf.Variable]:
    """Those that the original means to decay: not biases, batch norms or mean parameters."""
    return [v for v in variables if v.name.split("/")[-1].startswith(("kernel", "weights"))]


@contextlib.contextmanager
def layer_policy(mixed_precision: str):
    """Makes new layers within it compute in bfloat16 or float16, with float32 weights.

    Args:
        mixed_precision: `off`, `bfloat16` or `float16`.
    """
    before = keras.mixed_precision.global_policy()
    if mixed_precision != "off":
        keras.mixed_precision.set_global_policy(f"mixed_{mixed_precision}")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)

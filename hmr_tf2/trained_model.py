"""A model that trains itself: its parts, the optimiser of each, the step that updates them all.

A model has one or two parts, each with a loss and an Adam of its own: `e`, what predicts (encoder
and regressor), and `d`, the discriminator. Both updates of a step come from one forward pass.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import replicas
from hmr_tf2.checkpoints.weights import Slot
from hmr_tf2.config import ModelConfig

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
    """What HMR, HMMR and the like share: compiling, the training step, the names of a run.

    A model says what its parts are (`parts`), what each one's loss is (`compute_losses`), what a
    run saves of it (`checkpoint_parts`) and what files call its weights (`weight_slots`).

    Args:
        config: settings; `batch_size`, `seed`, `clip_norm`, `mixed_precision` and `deterministic`
            are read here, and the learning rates `e_lr` and `d_lr`.
        name: as of `keras.Model`.
    """

    def __init__(self, config: ModelConfig, name: str):
        super().__init__(name=name, dtype="float32")
        self.config = config
        self.d_optimizer = None
        # `train_step` returns losses of all replicas; Keras would sum them once more.
        self.distribute_reduction_method = "first"

    def parts(self) -> dict[str, list[tf.Variable]]:
        """What each part trains: `e`, and perhaps `d`. The optimiser of `e` counts the steps."""
        raise NotImplementedError

    def compute_losses(
        self, batch: Mapping[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """One training forward pass.

        Returns:
            The loss of each part, and everything that is to be logged, by name: float32 [] each.
        """
        raise NotImplementedError

    def checkpoint_parts(self) -> dict[str, tf.Module]:
        """What a run saves, by its key in the checkpoint; the optimisers are added to it."""
        raise NotImplementedError

    def weight_slots(self, kind: str, present: Collection[str] | None = None) -> dict[str, Slot]:
        """The model's weights by their names in a kind of file.

        Args:
            kind: of the file, such as `tf1.KIND`.
            present: the names in one file: then only the weights that it must have, which are
                fewer where the file is known to hold a part of the model.

        Raises:
            ValueError: the model knows no names of this kind.
        """
        raise ValueError(f"{self.name} cannot be loaded from files of the kind {kind!r}.")

    def holds_encoder_only(self, present: Collection[str]) -> bool:
        """Whether a file with these names holds an image encoder and nothing else of the model."""
        return False

    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """The optimiser of each part of a compiled model."""
        return {
            part: self.optimizer if number == 0 else self.d_optimizer
            for number, part in enumerate(self.parts())
        }

    def moving_averages(self) -> list[tf.Variable]:
        """What a training pass moves without a gradient: the averages of the batch norms."""
        return [
            variable
            for variable in self.non_trainable_variables
            if variable.name.split("/")[-1].startswith("moving_")
        ]

    def compile(self, e_lr=None, d_lr=None, **kwargs):
        """Makes an Adam for each part; `optimizer` is the first one's.

        The legacy class is TF 1's: one fused kernel a variable, epsilon outside the correction.

        Args:
            e_lr: learning rate or schedule of encoder and regressor; none means the config's.
            d_lr: the discriminator's.
            **kwargs: as of `keras.Model.compile`.
        """
        given = {"e": e_lr, "d": d_lr}
        first, *others = (
            keras.optimizers.legacy.Adam(
                getattr(self.config, f"{part}_lr") if given[part] is None else given[part],
                epsilon=ADAM_EPSILON,
            )
            for part in self.parts()
        )
        if self.config.mixed_precision == "float16":
            first = LossScaleOptimizer(first)
        super().compile(optimizer=first, **kwargs)
        self.d_optimizer = others[0] if others else None

    def build_optimizers(self) -> None:
        """Makes the optimisers' slots now rather than in the first step."""
        optimizers = self.optimizers()
        for part, variables in self.parts().items():
            # The legacy optimisers have no public `build`, and TF 1's Adam is among these only.
            optimizers[part]._create_all_weights(variables)

    def train_step(self, data):
        """Updates every part from one forward pass with the old weights.

        Returns:
            dict of this step's losses before its update, under the names of the original.
        """
        batch, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        recorded = self.record_losses(batch)
        # All gradients are taken before any weight changes.
        self.apply_gradients(self.gradients_of(recorded))
        return replicas.total(recorded.logs)

    def record_losses(self, batch: Mapping[str, tf.Tensor]) -> RecordedLosses:
        """The forward pass of a step: its losses, and what their gradients are taken from."""
        parts, optimizers = self.parts(), self.optimizers()
        with contextlib.ExitStack() as stack:
            tapes = {part: stack.enter_context(tf.GradientTape()) for part in parts}
            losses, logs = self.compute_losses(batch)
            scaled = {part: scaled_loss(optimizers[part], losses[part]) for part in parts}
        return RecordedLosses(tapes, scaled, logs)

    def gradients_of(self, recorded: RecordedLosses) -> dict[str, list[tf.Tensor]]:
        """The backward pass: for each part the gradients of its variables; see `gradients`."""
        optimizers = self.optimizers()
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
                # `gradients` has summed over the replicas already.
                zip(found[part], variables, strict=True),
                experimental_aggregate_gradients=False,
            )

    def train_on_batch(self, x, return_dict=False, **kwargs):
        """As Keras', for a batch whose mocap rows may outnumber its pictures.

        Keras' own refuses that. Only `x`, the dict of `compute_losses`, is accepted.
        """
        unused = [name for name, value in kwargs.items() if value is not None]
        if unused:
            raise ValueError(f"train_on_batch takes one dict of arrays; got also {unused}.")
        if getattr(self, "optimizer", None) is None:
            raise RuntimeError("The model has no optimiser yet: call compile() before training.")
        self.train_function = self.make_train_function()
        batches = iter(tf.data.Dataset.from_tensors(x))
        logs = {name: value.numpy() for name, value in self.train_function(batches).items()}
        return logs if return_dict else list(logs.values())

    def dropout_seed(self) -> tf.Tensor:
        """int64 [2], the seed of this step: the run's, and the number of updates so far."""
        return tf.stack([tf.cast(self.config.seed, tf.int64), self.optimizer.iterations])


def scaled_loss(optimizer: keras.optimizers.Optimizer, loss: tf.Tensor) -> tf.Tensor:
    """The loss to differentiate: times the loss scale where the optimiser has one (float16)."""
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
        tape: what recorded the loss.
        optimizer: whose loss scale is taken out again.
        loss: what `scaled_loss` returned.
        variables: with respect to which.
        clip_norm: largest norm of all together; 0 for any.
        fixed_order: sum a tensor's gradients in pairs. The usual sum of three or more adds them
            in the order in which buffers become free, which differs from run to run.
    """
    if fixed_order and not tf.executing_eagerly():
        found = tf.gradients(
            loss, variables, aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE
        )
    else:
        found = tape.gradient(loss, variables)
    if _scales(optimizer):
        found = optimizer.get_unscaled_gradients(found)
    found = replicas.total(found)
    return tf.clip_by_global_norm(found, clip_norm)[0] if clip_norm else found


def _scales(optimizer):
    return isinstance(optimizer, LossScaleOptimizer)


def kernels(variables: Sequence[tf.Variable]) -> list[tf.Variable]:
    """Those that the original's weight decay means: no biases, batch norms or mean parameters."""
    return [v for v in variables if v.name.split("/")[-1].startswith(("kernel", "weights"))]


@contextlib.contextmanager
def layer_policy(mixed_precision: str):
    """Layers made inside compute in bfloat16 or float16 and keep float32 weights.

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

"""From a loss to the gradient that an optimiser applies."""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import replicas

LossScaleOptimizer = keras.mixed_precision.LossScaleOptimizer


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

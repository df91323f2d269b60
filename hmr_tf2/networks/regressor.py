"""The iterative regressor: from image features to camera, pose and shape (paper section 3.2)."""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import replicas
from hmr_tf2.theta import NUM_THETA

SCOPE = "3D_module"


class Encoder_fc3_dropout(keras.layers.Layer):
    """Corrects a start value T times by the same three dense layers, with new dropout each time.

    Theta_{t+1} = Theta_t + fc([features, Theta_t]), Theta_0 = `mean_param`, which is trained.
    Source: akanazawa/hmr src/models.py (Encoder_fc3_dropout), src/trainer.py (build_model).

    Dropout is stateless: the same seed gives the same masks, so a resumed run repeats them. Under
    a mixed-precision policy the dense layers follow it, while theta is summed in float32.

    Args:
        mean_theta: [1, 85], initial value of `mean_param`.
        num_stage: number of corrections T.
        dropout_rate: fraction of the hidden units dropped in training (the original: 0.5).
    """

    def __init__(self, mean_theta: np.ndarray, num_stage: int, dropout_rate: float):
        super().__init__(name=SCOPE, dtype="float32")
        self.mean_theta = mean_theta
        self.num_stage = num_stage
        self.dropout_rate = dropout_rate
        self.hidden = [
            keras.layers.Dense(1024, activation="relu", name=f"{SCOPE}/fc{i}") for i in (1, 2)
        ]
        self.out = keras.layers.Dense(
            NUM_THETA,
            # A tenth of Xavier's range, as in the original: the first corrections are small, so
            # that training starts from bodies near the mean one.
            kernel_initializer=keras.initializers.VarianceScaling(0.01, "fan_avg", "uniform"),
            name=f"{SCOPE}/fc3",
        )

    def build(self, input_shape):
        self.mean_param = self.add_weight(
            "mean_param",
            shape=[1, NUM_THETA],
            initializer=lambda shape, dtype: tf.constant(self.mean_theta, dtype),
        )
        # `call` uses this layer's kernel in two parts and never the layer, so nothing else builds
        # it. The scope gives the kernel the name that it has in TF 1 checkpoints.
        with tf.name_scope(self.hidden[0].name):
            self.hidden[0].build([None, input_shape[-1] + NUM_THETA])
        super().build(input_shape)

    def call(self, features, training=False, seed=None):
        """Returns the theta of every stage, a list of T tensors [N, 85].

        Args:
            features: float32 [N, F].
            training: whether to drop units.
            seed: int [2]; needed only if units are dropped.
        """
        first, second = self.hidden
        theta = tf.tile(self.mean_param, [tf.shape(features)[0], 1])
        # W [features, theta] = W_f features + W_t theta. The first term, with 2048 of the 2133
        # columns, is the same in all stages and is computed once. Equal to rounding.
        of_features, of_theta = tf.split(
            tf.cast(first.kernel, first.compute_dtype), [features.shape[-1], NUM_THETA]
        )
        from_features = tf.cast(features, first.compute_dtype) @ of_features
        stages = []
        for stage in range(self.num_stage):
            x = from_features + tf.cast(theta, first.compute_dtype) @ of_theta
            x = first.activation(tf.nn.bias_add(x, tf.cast(first.bias, x.dtype)))
            # Every mask has a number of its own, since the stages share their layers: equal masks
            # would drop the same units in all of them.
            x = self._drop(x, 2 * stage, training, seed)
            x = self._drop(second(x), 2 * stage + 1, training, seed)
            # float32, as small corrections would be lost in the 8 bits of bfloat16.
            theta += tf.cast(self.out(x), theta.dtype)
            stages.append(theta)
        return stages

    def _drop(self, x, number, training, seed):
        if not (training and self.dropout_rate):
            return x
        mask_seed = tf.random.experimental.stateless_fold_in(seed, number)
        return _dropout(x, self.dropout_rate, mask_seed)


def _dropout(x, rate, seed):
    """Dropout with the masks that a single device would draw, whatever the number of replicas."""
    return tf.nn.experimental.general_dropout(
        x, rate, lambda shape, dtype: tf.cast(replicas.uniform_rows(shape, seed), dtype)
    )

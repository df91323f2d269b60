"""Learning rates over the course of a run."""

import tensorflow as tf
import tf_keras as keras

from hmr_tf2.config import RunConfig

STEP_FACTOR = 0.1


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly over `steps` steps to the rate or schedule that it wraps."""

    def __init__(self, rate, steps: int):
        super().__init__()
        self.rate = rate
        self.steps = steps

    def __call__(self, step):
        rate = self.rate(step) if callable(self.rate) else self.rate
        return rate * tf.minimum(1.0, (tf.cast(step, tf.float32) + 1.0) / self.steps)

    def get_config(self):
        return {"rate": self.rate, "steps": self.steps}


def learning_rate(base: float, config: RunConfig, steps_per_epoch: int):
    """The rate `base` (`e_lr` or `d_lr`), or its schedule over the run's steps."""
    rate = base
    if config.lr_schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(base, config.epoch * steps_per_epoch)
    elif config.lr_schedule == "steps":
        boundaries = [round(float(epoch) * steps_per_epoch) for epoch in config.lr_steps]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(
            # At step `boundary` itself Keras would still give the rate before it.
            [boundary - 1 for boundary in boundaries],
            [base * STEP_FACTOR**n for n in range(len(boundaries) + 1)],
        )
    return Warmup(rate, config.lr_warmup_steps) if config.lr_warmup_steps else rate

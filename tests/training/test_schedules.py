"""Learning rates over a run, against their formulas."""

import dataclasses
import math

import pytest

from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.training import schedules

STEPS = 10  # of an epoch


def rates(steps, **settings):
    config = TrainConfig(epoch=5, **settings)
    rate = schedules.learning_rate(1e-3, config, STEPS)
    return [float(rate(step)) for step in steps]


def test_the_default_is_the_originals_constant_rate():
    assert schedules.learning_rate(1e-3, TrainConfig(), STEPS) == 1e-3


def test_cosine_falls_to_zero_over_the_run():
    steps = [0, 13, 25, 50]
    expected = [0.5e-3 * (1 + math.cos(math.pi * step / 50)) for step in steps]
    assert rates(steps, lr_schedule="cosine") == pytest.approx(expected, abs=1e-9)


def test_steps_divide_the_rate_from_the_first_step_of_the_epoch_on():
    found = rates([0, 19, 20, 34, 35, 49], lr_schedule="steps", lr_steps=("2", "3.5"))
    assert found == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])


def test_warmup_rises_to_the_rate_and_then_leaves_it():
    found = rates([0, 1, 3, 4, 40], lr_warmup_steps=4)
    assert found == pytest.approx([0.25e-3, 0.5e-3, 1e-3, 1e-3, 1e-3])


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(lr_schedule="steps"), "must be given together"),
        (dict(lr_steps=("3",)), "must be given together"),
        (dict(lr_schedule="steps", lr_steps=("4", "3")), "increasing numbers"),
        (dict(lr_schedule="steps", lr_steps=("x",)), "increasing numbers above 0; got x"),
        (dict(lr_schedule="linear"), "--lr_schedule accepts constant, cosine, steps"),
        (
            dict(deterministic=True, strategy="mirrored"),
            "--deterministic works on one device",
        ),
    ],
)
def test_settings_that_make_no_sense_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TrainConfig(), **settings)

"""The flagfiles of the paper's modes: what each one's loss is made of, and what it trains."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import HMR, flagfiles
from hmr_tf2.hmr.config import TrainConfig

FLAGS = pathlib.Path(__file__).parents[2] / "flags"
KEYPOINTS, LABELS_3D = {"e_loss_kp"}, {"e_loss_3d", "e_loss_3d_joints"}
DISCRIMINATOR = {"e_loss_disc", "d_loss", "d_loss_real", "d_loss_fake"}
MODES = {
    "hmr": KEYPOINTS | LABELS_3D | DISCRIMINATOR,
    "hmr_no3d": KEYPOINTS | DISCRIMINATOR,
    "hmr_encoder_only": KEYPOINTS | LABELS_3D,
    "hmr_from_resnet": KEYPOINTS | LABELS_3D | DISCRIMINATOR,
    "hmr_from_authors": KEYPOINTS | LABELS_3D | DISCRIMINATOR,
}
PAPER = dict(batch_size=64, e_lr=1e-5, e_loss_weight=60.0, num_stage=3)


def config_of(mode):
    return TrainConfig(**flagfiles.read_flagfile(FLAGS / f"{mode}.cfg", TrainConfig))


@pytest.fixture(scope="module", params=MODES)
def mode(request, small_smpl_path, reference):
    """(mode, config, losses of one batch) with a small encoder and two pictures."""
    config = dataclasses.replace(
        config_of(request.param),
        smpl_model_path=str(small_smpl_path),
        batch_size=2,
        model_type="small_resnet_fc3_dropout",
    )
    keras.utils.set_random_seed(0)
    model = HMR(config)
    model.compile()
    batch = {name: tf.constant(value) for name, value in reference.batch(3, 2).items()}
    of_part, logs = model.compute_losses(batch)
    logs = {name: float(value) for name, value in logs.items()}
    return request.param, model, logs, of_part["e"], of_part.get("d")


def test_the_loss_has_the_terms_of_its_mode(mode):
    name, _, logs, _, _ = mode
    stages = {f"kp_loss_stage{stage}" for stage in range(3)}
    assert set(logs) == {"e_loss"} | stages | MODES[name]


def test_the_encoders_loss_is_the_sum_of_its_terms(mode):
    name, model, logs, e_loss, _ = mode
    terms = MODES[name] & {"e_loss_kp", "e_loss_3d", "e_loss_3d_joints", "e_loss_disc"}
    assert float(e_loss) == pytest.approx(sum(logs[term] for term in terms), rel=1e-5)
    assert logs["e_loss_kp"] == pytest.approx(60 * logs["kp_loss_stage2"], rel=1e-5)
    assert all(logs[term] > 0 for term in terms)


def test_the_discriminators_loss_is_real_and_fake_or_there_is_none(mode):
    name, model, logs, _, d_loss = mode
    if DISCRIMINATOR <= MODES[name]:
        assert float(d_loss) == pytest.approx(logs["d_loss_real"] + logs["d_loss_fake"], rel=1e-5)
    else:
        assert d_loss is None and model.discriminator is None


@pytest.mark.parametrize("name", MODES)
def test_every_mode_has_the_weights_and_rates_of_the_papers_run(name):
    config = config_of(name)
    assert {key: getattr(config, key) for key in PAPER} == PAPER
    if not config.encoder_only:
        assert (config.d_lr, config.d_loss_weight) == (1e-4, 1.0)
    if config.use_3d_label:
        assert config.e_3d_weight == 60.0
    assert config.epoch == (5 if name == "hmr_from_authors" else 75)


def test_the_flags_that_are_off_change_no_number_unless_asked(mode):
    _, model, _, _, _ = mode
    config = model.config
    assert not config.apply_weight_decay and config.clip_norm == 0 and not config.deterministic
    assert config.lr_schedule == "constant" and config.mixed_precision == "off"
    assert np.isfinite(config.e_wd), "the flag exists, as in the original"

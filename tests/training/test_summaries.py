"""Scalars of every step under the original's names."""

import numpy as np
import pytest

from hmr_tf2.hmr import tensorboard
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.training import history, summaries


def test_every_step_has_the_originals_scalars(watched):
    scalars = history.read_scalars(watched.folder)
    losses = {tag: found for tag, found in scalars.items() if tag.startswith("loss/")}
    assert set(losses) == {
        "loss/e_loss",
        "loss/e_loss_kp_noscale",
        "loss/e_loss_disc",
        "loss/d_loss",
        "loss/d_loss_fake",
        "loss/d_loss_real",
        "loss/e_loss_3d_params_noscale",
        "loss/e_loss_3d_joints_noscale",
        "loss/e_losses_noscale/kp_loss_stage0",
        "loss/e_losses_noscale/kp_loss_stage1",
        "loss/e_losses_noscale/kp_loss_stage2",
    }
    assert all([step for step, _ in found] == [1, 2, 3, 4] for found in losses.values())
    written = [value for _, value in losses["loss/e_loss"]]
    assert written == [np.float32(logs["e_loss"]) for logs in watched.logs]
    # The last stage's loss is the one that is trained on.
    np.testing.assert_allclose(
        losses["loss/e_loss_kp_noscale"], losses["loss/e_losses_noscale/kp_loss_stage2"], rtol=1e-6
    )


def test_scalars_leave_out_the_weights_the_original_leaves_out():
    config = TrainConfig(e_loss_weight=60.0, e_3d_weight=20.0)
    scalars = tensorboard.original_scalars(
        dict(
            e_loss=7.0,
            e_loss_kp=6.0,
            e_loss_3d=2.0,
            d_loss=3.0,
            kp_loss_stage1=0.5,
            val_lsp_keypoint_px=9.0,
        ),
        config,
    )
    assert scalars == pytest.approx(
        {
            "loss/e_loss": 7.0,
            "loss/e_loss_kp_noscale": 0.1,
            "loss/e_loss_3d_params_noscale": 0.1,
            "loss/d_loss": 3.0,
            "loss/e_losses_noscale/kp_loss_stage1": 0.5,
        }
    )


def test_KEEP_the_adversarial_loss_is_divided_by_a_weight_it_does_not_have():
    config = TrainConfig(d_loss_weight=2.0)
    assert tensorboard.original_scalars({"e_loss_disc": 6.0}, config) == {"loss/e_loss_disc": 3.0}


def test_a_weight_of_zero_gives_zero_rather_than_a_division_by_it():
    config = TrainConfig(e_loss_weight=0.0)
    assert tensorboard.original_scalars({"e_loss_kp": 0.0}, config) == {
        "loss/e_loss_kp_noscale": 0.0
    }


def test_scalars_of_a_killed_run_are_read_up_to_where_it_was_cut_off(tmp_path):
    writer = summaries.open_writer(tmp_path)
    for step in range(1, 4):
        summaries.write_scalars(writer, {"loss/e_loss": 0.1 * step, "x": np.nan}, step)
    writer.close()
    (path,) = tmp_path.glob("events.*")
    path.write_bytes(path.read_bytes()[:-5])
    scalars = history.read_scalars(tmp_path)
    assert scalars["loss/e_loss"] == [(1, np.float32(0.1)), (2, np.float32(0.2))]
    assert np.isnan(scalars["x"][0][1])

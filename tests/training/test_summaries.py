"""Scalars of every step under the original's names."""

import resource

import numpy as np
import pytest
import tensorflow as tf

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
    writer = summaries.EventFiles(tmp_path)
    for step in range(1, 4):
        writer.scalars({"loss/e_loss": 0.1 * step, "x": np.nan}, step)
    writer.close()
    (path,) = tmp_path.glob("events.*")
    path.write_bytes(path.read_bytes()[:-5])
    scalars = history.read_scalars(tmp_path)
    assert scalars["loss/e_loss"] == [(1, np.float32(0.1)), (2, np.float32(0.2))]
    assert np.isnan(scalars["x"][0][1])


def test_a_full_disk_pauses_the_files_of_tensorboard_and_is_said_once(tmp_path, caplog):
    """The system refuses longer files, as it does without room; later there is room again."""
    files = summaries.EventFiles(tmp_path, pause_seconds=0.0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with caplog.at_level("INFO", logger="absl"):
        files.scalars({"loss/e_loss": 1.0}, 1)
        files.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        try:
            for step in range(2, 5):
                files.scalars({"loss/e_loss": 2.0}, step)
                files.flush()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        files.scalars({"loss/e_loss": 5.0}, 5)
        files.close()
    assert [step for step, _ in history.read_scalars(tmp_path)["loss/e_loss"]] == [1, 5]
    said = [message for message in caplog.messages if "TensorBoard" in message]
    assert len(said) == 2 and "the run goes on" in said[0] and "from step 5 on" in said[1]


def test_what_is_drawn_while_the_files_pause_is_left_out(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    files = summaries.EventFiles(tmp_path / "file", pause_seconds=1e9)
    for step in range(3):
        with files.writing(step):
            tf.summary.image("vis_images/0", np.zeros([1, 4, 4, 3], np.uint8))
        files.flush()
    files.close()
    assert caplog.text.count("cannot be written") == 1


def test_other_errors_are_not_swallowed(tmp_path):
    with pytest.raises(ZeroDivisionError), summaries.EventFiles(tmp_path).writing(1):
        raise ZeroDivisionError

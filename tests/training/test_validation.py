"""Validation at the end of an epoch."""

import types

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.evaluation.validation import Validation, means
from hmr_tf2.training import history, summaries, validation

ERRORS = {
    "val_h36m_keypoint_px": 5.0,
    "val_h36m_mpjpe_mm": 90.0,
    "val_h36m_pa_mpjpe_mm": 60.0,
    "val_lsp_keypoint_px": 8.0,
}
MEANS = {"val_keypoint_px": 6.5, "val_mpjpe_mm": 90.0, "val_pa_mpjpe_mm": 60.0}


def test_errors_reach_the_logs_tensorboard_and_the_reader(tmp_path, caplog):
    model = types.SimpleNamespace(
        predict_on_batch=object(),
        optimizer=types.SimpleNamespace(iterations=tf.Variable(42, dtype=tf.int64)),
    )
    asked = []
    people = Validation(None, ())
    people.run = lambda predict: asked.append(predict) or dict(ERRORS)
    callback = validation.Validate(summaries.EventFiles(tmp_path), people)
    callback.set_model(model)
    logs = {"e_loss": 1.0}
    with caplog.at_level("INFO", logger="absl"):
        callback.on_epoch_end(2, logs)
    callback.files.flush()
    assert asked == [model.predict_on_batch]
    assert logs == {"e_loss": 1.0, **ERRORS, **MEANS}
    assert history.read_scalars(tmp_path) == {
        name.replace("val_", "val/", 1): [(42, np.float32(value))]
        for name, value in {**ERRORS, **MEANS}.items()
    }
    assert caplog.messages == [
        "Validation after epoch 3 (0 s): h36m 2-D 5.00 px, MPJPE 90.0 mm, PA-MPJPE 60.0 mm; "
        "lsp 2-D 8.00 px"
    ]


def test_data_sets_count_the_same_whatever_their_size():
    assert means({"val_a_mpjpe_mm": 1.0, "val_b_b_mpjpe_mm": 2.0}) == {
        "val_mpjpe_mm": pytest.approx(1.5)
    }

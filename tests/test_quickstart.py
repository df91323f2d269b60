"""What the quickstart computes and says; tests/test_readme.py runs it."""

import contextlib
import dataclasses
import pathlib

import numpy as np
import pytest

from hmr_tf2 import quickstart
from hmr_tf2.standin.people import Person


def person(keypoints_m, keypoints_px):
    nothing = np.zeros(0)
    return Person(keypoints_px, nothing, keypoints_m, nothing, nothing, nothing, nothing)


def test_errors_are_in_pixels_and_millimetres(rng):
    keypoints = rng.normal(size=(19, 3))
    points = rng.uniform(0, 224, (19, 2))
    shifted = keypoints[np.newaxis].copy()
    shifted[0, :14] += np.where(np.arange(14)[:, np.newaxis] == 0, [0.014, 0, 0], 0.0)
    errors = quickstart.joint_errors(
        [person(keypoints, points)], {"joints3d": shifted, "joints": points[np.newaxis] + [3, 4]}
    )
    assert errors["2-D error, px"] == pytest.approx(5.0)
    assert errors["MPJPE, mm"] == pytest.approx(1.0)  # 14 mm at one of 14 joints
    larger = quickstart.joint_errors(
        [person(keypoints, points)],
        {"joints3d": 1.1 * keypoints[np.newaxis] + 2.0, "joints": points[np.newaxis]},
    )
    assert larger["MPJPE, mm"] > 50
    assert larger["PA-MPJPE, mm"] == pytest.approx(0.0, abs=1e-6)


def test_gains_are_shares_of_the_start():
    errors = {quickstart.MEAN: {"MPJPE, mm": 200.0}, quickstart.TRAINED: {"MPJPE, mm": 130.0}}
    assert quickstart.gains(errors) == {"MPJPE, mm": pytest.approx(0.35)}
    assert quickstart.error_table(errors) == (
        ["", "MPJPE, mm"],
        [["mean body", "200.0"], ["trained", "130.0"], ["change", "-35.0 %"]],
    )


@pytest.mark.parametrize("steps", [1, 2, 7, 2400])
def test_the_run_has_as_many_steps_as_wanted(steps, tmp_path):
    settings = quickstart.QuickstartSettings(steps=steps)
    config = quickstart.train_config(settings, tmp_path, "body.pkl")
    assert config.epoch * config.steps_per_epoch == steps


def test_the_next_steps_name_files_that_are_there(tmp_path):
    text = quickstart.next_steps(pathlib.Path("somewhere"), tmp_path / "results.html")
    assert "tensorboard --logdir=somewhere/run" in text
    assert "--flagfile=somewhere/run/flags.cfg" in text


def test_a_stopped_training_ends_the_run_before_anything_is_exported(
    tmp_path, monkeypatch, capsys
):
    from hmr_tf2 import training

    monkeypatch.setattr(quickstart, "make_standin", lambda *_: ("body.pkl", {}))
    monkeypatch.setattr(quickstart, "convert_standin", lambda *_: tmp_path)
    for signal in ("SIGTERM", "SIGINT"):
        summary = training.TrainingSummary(str(tmp_path), 0, 3, None, {}, stopped=signal)
        monkeypatch.setattr(training, "train", lambda config, system, summary=summary: summary)
        with pytest.raises(KeyboardInterrupt) if signal == "SIGINT" else contextlib.nullcontext():
            quickstart.main(quickstart.QuickstartSettings(out=str(tmp_path / "out")))
        assert f"Stopped by {signal}. The same command continues." in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["quickstart.json"]


def test_results_of_other_settings_are_not_mixed(tmp_path):
    """It would be told of flags that the quickstart does not have."""
    settings = quickstart.QuickstartSettings(out=str(tmp_path / "out"), steps=2, people=8)
    out = pathlib.Path(settings.out)
    quickstart.keep_settings(settings, out)
    quickstart.keep_settings(settings, out)
    other = dataclasses.replace(settings, steps=3)
    with pytest.raises(ValueError, match="a quickstart with --steps=2. .*another folder as --out"):
        quickstart.main(other)
    assert [path.name for path in out.iterdir()] == ["quickstart.json"]
    (out / "quickstart.json").write_text("[")
    with pytest.raises(ValueError, match="quickstart.json is damaged"):
        quickstart.main(settings)

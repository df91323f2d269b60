"""A run that is killed, stopped or changed: nothing is lost, and nothing differs in the end."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import HMR, flagfiles, loading, training
from hmr_tf2.checkpoints import run_folder
from hmr_tf2.evaluation.validation import Validation
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.system import HMR_SYSTEM
from hmr_tf2.training import changes, saving, validation
from tfrecords_tools.locks import InUseError, locked

train = functools.partial(training.train, system=HMR_SYSTEM)

ROOT = pathlib.Path(__file__).parents[2]
QUIET = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}


def command(config):
    """The training command of `config`."""
    flags = flagfiles.as_flagfile(config).splitlines()
    return [sys.executable, "-m", "hmr_tf2.train", *flags]


def run(config, until=None, number=signal.SIGKILL):
    """Runs the command; when it has saved step `until` or a later one, sends it `number`."""
    before = saved_steps(config)
    process = subprocess.Popen(
        command(config), env=QUIET, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if until:
        while process.poll() is None and max(saved_steps(config) - before, default=0) < until:
            time.sleep(0.002)
        process.send_signal(number)
    output = process.communicate(timeout=300)[0]
    return process.returncode, output


def saved_steps(config):
    return {int(path.stem[5:]) for path in pathlib.Path(config.model_dir).glob("ckpt-*.index")}


def values_of(folder):
    reader = tf.train.load_checkpoint(str(folder))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if name.endswith("VARIABLE_VALUE") and "save_counter" not in name
    }


@pytest.fixture
def config(small_config, tmp_path):
    return dataclasses.replace(
        small_config,
        model_dir=str(tmp_path / "run"),
        steps_per_epoch=7,
        epoch=2,
        deterministic=True,
        checkpoint_steps=1,
        log_img_step=5,
    )


@pytest.mark.parametrize(
    "signals",
    [
        (signal.SIGKILL,),
        pytest.param((signal.SIGKILL, signal.SIGTERM, signal.SIGINT), marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_at_random_steps_ends_with_the_same_bits(config, tmp_path, signals):
    """Two epochs of seven steps, stopped and continued, beside a run that was left alone."""
    whole = dataclasses.replace(config, model_dir=str(tmp_path / "whole"), checkpoint_steps=0)
    assert run(whole)[0] == 0
    steps = sorted(random.Random(time.time_ns()).sample(range(1, 12), len(signals)))
    for step, number in zip(steps, signals, strict=True):
        code, output = run(config, step, number)
        if number == signal.SIGKILL:
            assert code == -signal.SIGKILL
        elif number == signal.SIGINT:
            assert code == 130
        else:
            assert code == 0 and "Stopped by SIGTERM. The same command continues" in output
    code, output = run(config)
    assert code == 0, output
    expected, got = values_of(whole.model_dir), values_of(config.model_dir)
    assert expected.keys() == got.keys() and len(got) > 150
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=f"{name}, stopped at {steps}")


def written(folder):
    """What a session has written of checkpoints, the best one and the curve, with its times."""
    files = [*folder.glob("ckpt-*"), *folder.glob("best/*"), folder / validation.CURVE_FILE]
    found = set()
    for path in files:
        with contextlib.suppress(FileNotFoundError):
            found.add((path.name, path.stat().st_mtime_ns))
    return found


def killed_after(config, num_writes, delay):
    """Runs the command, and kills it after so many writes; False if it had ended before."""
    folder = pathlib.Path(config.model_dir)
    process = subprocess.Popen(
        command(config), env=QUIET, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    seen = written(folder)
    while num_writes and process.poll() is None:
        now = written(folder)
        if now - seen:
            num_writes -= 1
        seen |= now
        time.sleep(0.001)
    time.sleep(delay)
    process.kill()
    return process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_twelve_kills_in_training_and_validation_change_neither_weights_nor_best_nor_curve(
    config, with_test_people, tmp_path
):
    config = dataclasses.replace(
        config, data_dir=str(with_test_people), val_datasets=("lsp",), steps_per_epoch=3, epoch=5
    )
    whole = dataclasses.replace(config, model_dir=str(tmp_path / "whole"))
    assert run(whole)[0] == 0
    chance = random.Random(seed := time.time_ns())
    kills, where = 0, []
    while kills < 12 and killed_after(config, chance.choice([2, 4, 8]), chance.choice([0, 0.2])):
        kills += 1
        where.append((max(saved_steps(config), default=0), len(list_of_best(config))))
    print(f"killed at (step, files in best/): {where}")
    assert kills == 12, f"seed {seed}"
    code, output = run(config)
    assert code == 0, output
    for folder in (".", "best"):
        expected, got = (values_of(pathlib.Path(c.model_dir, folder)) for c in (whole, config))
        assert expected.keys() == got.keys() and len(got) > 150
        for name, value in expected.items():
            np.testing.assert_array_equal(got[name], value, err_msg=f"{folder} {name} {seed}")
    for file in (validation.CURVE_FILE, "best/metrics.json"):
        expected, got = (pathlib.Path(c.model_dir, file).read_text() for c in (whole, config))
        assert got == expected, f"seed {seed}"


def list_of_best(config):
    return list(pathlib.Path(config.model_dir, "best").glob("*"))


@pytest.fixture(scope="module")
def finished(small_config, tmp_path_factory):
    """A run of four steps with a checkpoint of each."""
    config = dataclasses.replace(
        small_config,
        model_dir=str(tmp_path_factory.mktemp("finished")),
        steps_per_epoch=4,
        epoch=1,
        checkpoint_steps=1,
    )
    train(config)
    return config


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of it, to be damaged."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.model_dir, folder)
    return dataclasses.replace(finished, model_dir=str(folder))


def test_the_last_checkpoints_are_kept(finished):
    names = {path.stem for path in pathlib.Path(finished.model_dir).glob("ckpt-*.index")}
    assert names == {"ckpt-2", "ckpt-3", "ckpt-4"}


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(copied):
    newest = next(pathlib.Path(copied.model_dir).glob("ckpt-4.data*"))
    newest.write_bytes(newest.read_bytes()[:-1000])
    assert run_folder.latest_checkpoint(copied.model_dir).endswith("ckpt-3")
    content = bytearray(next(pathlib.Path(copied.model_dir).glob("ckpt-3.data*")).read_bytes())
    content[len(content) // 2] ^= 1
    next(pathlib.Path(copied.model_dir).glob("ckpt-3.data*")).write_bytes(content)
    assert run_folder.latest_checkpoint(copied.model_dir).endswith("ckpt-2")
    assert train(copied).start_step == 2


def names_in(folder):
    return {path.name for path in pathlib.Path(folder).glob("ckpt-*")}


def test_what_a_kill_left_of_a_checkpoint_is_deleted_and_nothing_else(copied):
    folder = pathlib.Path(copied.model_dir)
    copies = ["ckpt-2-keep.index", "ckpt-2-keep.data-00000-of-00001", "ckpt-best", "ckpt-9_tempo"]
    for name in copies:
        (folder / name).write_bytes(b"the user's own")
    before = names_in(folder)
    for part in (folder, folder / "best"):
        (part / "ckpt-9_temp").mkdir(parents=True)
        (part / "ckpt-9_temp" / "part-0").write_bytes(b"half")
    (folder / "ckpt-8.data-00000-of-00001").write_bytes(b"half")
    (folder / "ckpt-8.index.tempstate123").write_bytes(b"half")
    assert train(copied).start_step == 4
    assert names_in(folder) == before and not names_in(folder / "best")


@pytest.mark.parametrize(
    "content", [None, b"", b"\xff\xfe", b"\0" * 300, b'model_checkpoint_path: "x', b"{}"]
)
def test_the_newest_whole_checkpoint_is_found_whatever_became_of_their_list(
    copied, content, caplog
):
    listing = pathlib.Path(copied.model_dir, "checkpoint")
    if content is None:
        listing.unlink()
    else:
        listing.write_bytes(content)
    before = names_in(copied.model_dir)
    run_folder.tidy(copied.model_dir)
    with caplog.at_level("WARNING", logger="absl"):
        assert run_folder.latest_checkpoint(copied.model_dir).endswith("ckpt-4")
    assert "The newest one that is there is taken, ckpt-4" in caplog.text
    assert names_in(copied.model_dir) == before


def test_a_copied_run_without_its_list_of_checkpoints_goes_on(copied, caplog):
    """`cp -r RUN R2; rm R2/checkpoint; train --model_dir=R2` once deleted every checkpoint."""
    pathlib.Path(copied.model_dir, "checkpoint").unlink()
    before = names_in(copied.model_dir)
    with caplog.at_level("WARNING", logger="absl"):
        summary = train(dataclasses.replace(copied, epoch=2))
    assert (summary.start_step, summary.end_step) == (4, 8)
    assert (
        "lists no whole checkpoint. The newest one that is there is taken, ckpt-4" in caplog.text
    )
    assert names_in(copied.model_dir) >= before
    assert tf.train.latest_checkpoint(copied.model_dir).endswith("ckpt-8")


def test_a_listed_checkpoint_that_is_gone_leads_to_the_newest_that_is_there(copied):
    listing = pathlib.Path(copied.model_dir, "checkpoint")
    listing.write_text('model_checkpoint_path: "ckpt-9"\nall_model_checkpoint_paths: "ckpt-9"\n')
    assert run_folder.latest_checkpoint(copied.model_dir).endswith("ckpt-4")


def test_a_user_goes_back_by_naming_an_older_checkpoint_in_the_list(copied):
    listing = pathlib.Path(copied.model_dir, "checkpoint")
    listing.write_text(listing.read_text().replace("ckpt-4", "ckpt-3", 1))
    assert run_folder.latest_checkpoint(copied.model_dir).endswith("ckpt-3")


def test_a_second_run_in_the_same_folder_is_refused_and_names_the_first(copied):
    with locked(copied.model_dir, ""), pytest.raises(InUseError) as refusal:
        train(copied)
    assert f"{copied.model_dir} is in use by " in str(refusal.value)
    assert f"process {os.getpid()} on " in str(refusal.value)
    assert "another --model_dir" in str(refusal.value)
    assert train(copied).start_step == 4, "the lock has ended"


def test_a_run_that_could_not_start_leaves_no_folder(finished, tmp_path):
    folder = tmp_path / "new"
    with pytest.raises(OSError):
        train(dataclasses.replace(finished, model_dir=str(folder), load_path="absent"))
    assert not folder.exists()


def test_a_file_in_place_of_the_runs_folder_is_named(finished, tmp_path):
    file = tmp_path / "run"
    file.write_text("mine")
    with pytest.raises(NotADirectoryError, match=str(file)):
        train(dataclasses.replace(finished, model_dir=str(file)))
    assert file.read_text() == "mine"


def test_a_full_disk_stops_the_run_and_leaves_the_last_checkpoint(copied):
    """The system refuses longer files, as it does without room; TensorFlow sees a failed write."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, limits[1]))
    try:
        with pytest.raises(OSError, match="(?s)No checkpoint of step 5 .*ckpt-4.*Make room"):
            train(dataclasses.replace(copied, epoch=2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(pathlib.Path(copied.model_dir).glob("ckpt-5*"))
    assert run_folder.latest_checkpoint(copied.model_dir).endswith("ckpt-4")


def test_weights_that_are_not_finite_are_not_saved(copied):
    model = HMR(copied)
    model.compile()
    model.build_optimizers()
    manager = tf.train.CheckpointManager(
        run_folder.training_state(model), copied.model_dir, max_to_keep=3
    )
    model.regressor.mean_param.assign(model.regressor.mean_param * np.nan)
    with pytest.raises(FloatingPointError, match="no longer finite.*ckpt-4"):
        saving.save_state(model, manager)
    assert manager.latest_checkpoint.endswith("ckpt-4")


def test_changed_settings_are_shown_and_must_be_accepted(copied):
    changed = dataclasses.replace(copied, e_lr=3e-5, num_stage=3, batch_size=4, epoch=9)
    with pytest.raises(ValueError) as refusal:
        train(changed)
    lines = [line.strip() for line in str(refusal.value).splitlines()]
    assert "--e_lr: 1e-05 then, 3e-05 now" in lines and "--batch_size: 2 then, 4 now" in lines
    assert "--accept_changes" in str(refusal.value) and "--epoch" not in str(refusal.value)
    accepted = dataclasses.replace(changed, accept_changes=True, epoch=1)
    assert train(accepted).start_step == 4
    assert changes.changed_settings(accepted, run_folder.flags_file(copied.model_dir)) == {}, (
        "the run goes on under its new settings"
    )
    again = dataclasses.replace(accepted, e_lr=4e-5, accept_changes=False)
    flags = flagfiles.read_flagfile(pathlib.Path(copied.model_dir, "flags.cfg"), TrainConfig)
    assert not flags["accept_changes"], "it holds for one start"
    with pytest.raises(ValueError, match="3e-05 then, 4e-05 now"):
        train(again)


def test_settings_behind_load_path_are_compared_as_well(finished, tmp_path):
    other = dataclasses.replace(
        finished, load_path=finished.model_dir, model_dir=str(tmp_path / "other"), d_lr=0.5
    )
    with pytest.raises(ValueError, match="--d_lr: 0.0001 then, 0.5 now"):
        train(other)


def test_the_best_by_validation_is_kept_apart(finished, tmp_path):
    """Epochs whose errors are 30, 10 and 20 leave the second in best/, ready to load."""
    model = HMR(finished)
    model.compile()
    model.build_optimizers()
    flags_file = pathlib.Path(finished.model_dir, "flags.cfg")
    manager = tf.train.CheckpointManager(
        run_folder.training_state(model), str(tmp_path / "best"), max_to_keep=1
    )
    best = saving.KeepBest(manager, flags_file, HMR_SYSTEM.best_by)
    best.set_model(model)
    for step, error in ((1, 30.0), (2, 10.0), (3, 20.0)):
        model.optimizer.iterations.assign(step)
        best.on_epoch_end(step, {"val_mpjpe_mm": error, "val_keypoint_px": -error})
    assert [path.name for path in (tmp_path / "best").glob("*.index")] == ["ckpt-2.index"]
    assert '"val_mpjpe_mm": 10.0' in (tmp_path / "best" / "metrics.json").read_text()
    loaded = loading.load_model(str(tmp_path / "best"))
    np.testing.assert_array_equal(loaded.regressor.mean_param, model.regressor.mean_param)


@pytest.fixture
def with_test_people(sample_records, tmp_path):
    """The samples have no test people, so those of training stand in."""
    records = tmp_path / "records"
    shutil.copytree(sample_records, records)
    shutil.copy(records / "lsp" / "train_000.tfrecord", records / "lsp" / "test_000.tfrecord")
    return records


@pytest.fixture
def validated(finished, with_test_people, tmp_path):
    """Two epochs of one step."""
    return dataclasses.replace(
        finished,
        model_dir=str(tmp_path / "validated"),
        data_dir=str(with_test_people),
        val_datasets=("lsp",),
        steps_per_epoch=1,
        epoch=2,
        checkpoint_steps=0,
    )


def test_validation_each_epoch_chooses_the_best(validated):
    summary = train(validated)
    assert np.isfinite(summary.losses["val_keypoint_px"])
    assert pathlib.Path(validated.model_dir, "best", "checkpoint").is_file()
    curve = validation.read_curve(validated.model_dir)
    assert [(entry["step"], entry["epoch"]) for entry in curve] == [(1, 1), (2, 2)]
    assert curve[1]["val_keypoint_px"] == summary.losses["val_keypoint_px"]


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", ["the errors", "the best"])
def test_a_validation_that_a_kill_ended_is_made_up_for(validated, killed_at, monkeypatch):
    """Killed after the last epoch's checkpoint, while it measures errors or writes `best/`."""

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    whole = train(validated)
    folder = pathlib.Path(validated.model_dir)
    curve = validation.read_curve(folder)
    shutil.rmtree(folder)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        if killed_at == "the errors":
            patched.setattr(Validation, "errors_of", kill)
        else:
            patched.setattr(saving.KeepBest, "on_epoch_end", kill)
        train(validated)
    assert run_folder.latest_checkpoint(folder).endswith("ckpt-1")
    assert not (folder / "best").exists() and not validation.read_curve(folder)
    assert train(validated).losses == whole.losses
    assert validation.read_curve(folder) == curve
    assert (folder / "best" / "metrics.json").is_file()


def test_a_flagfile_that_a_run_wrote_repeats_it(finished):
    flags = flagfiles.read_flagfile(pathlib.Path(finished.model_dir, "flags.cfg"), TrainConfig)
    assert TrainConfig(**flags) == finished


@pytest.mark.slow
def test_a_run_in_half_precision_continues_and_is_loaded_in_float32(finished, tmp_path):
    """With the other flags of hardware and rates; later three steps an execution."""
    config = dataclasses.replace(
        finished,
        model_dir=str(tmp_path / "half"),
        mixed_precision="float16",
        clip_norm=10.0,
        lr_schedule="cosine",
        lr_warmup_steps=2,
        checkpoint_steps=0,
    )
    assert train(config).end_step == 4
    summary = train(dataclasses.replace(config, epoch=2, steps_per_execution=3))
    assert (summary.start_step, summary.end_step) == (4, 8)
    model = loading.load_model(config.model_dir)
    assert {layer.compute_dtype for layer in model.encoder.layers} == {"float32"}
    assert model.optimizer.iterations.numpy() == 8


@pytest.mark.parametrize("character", "[*?")
def test_a_folder_that_tensorflow_takes_for_a_pattern_is_refused_at_the_start(
    finished, tmp_path, character
):
    folder = tmp_path / f"run {character}1]"
    with pytest.raises(ValueError, match="takes for a pattern.*Rename"):
        train(dataclasses.replace(finished, model_dir=str(folder)))
    assert not folder.exists()
    shutil.copytree(finished.model_dir, folder)
    with pytest.raises(ValueError, match="takes for a pattern"):
        loading.load_model(str(folder))


def test_paths_in_a_runs_flags_hold_in_any_folder(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(pathlib.Path(finished.model_dir).parent)
    config = dataclasses.replace(
        finished, model_dir="run", smpl_model_path=os.path.relpath(finished.smpl_model_path)
    )
    flags = tmp_path / "flags.cfg"
    training.run.write_flags(config, tmp_path)
    kept = flagfiles.read_flagfile(flags, TrainConfig)
    assert kept["model_dir"] == os.path.abspath("run")
    assert kept["smpl_model_path"] == finished.smpl_model_path


def test_a_checkpoint_of_ours_as_pretrained_weights_is_sent_to_load_path(finished, tmp_path):
    for path in (finished.model_dir, f"{finished.model_dir}/ckpt-4"):
        config = dataclasses.replace(
            finished, model_dir=str(tmp_path / "new"), pretrained_model_path=path
        )
        with pytest.raises(ValueError, match="Pass it as --load_path"):
            train(config)


def test_a_checkpoint_without_its_flags_names_the_settings_that_are_assumed(copied):
    pathlib.Path(copied.model_dir, "flags.cfg").unlink()
    with pytest.raises(ValueError, match=r"(?s)defaults are assumed.*--model_type=small"):
        loading.load_model(copied.model_dir, copied.smpl_model_path)


def test_a_load_path_that_is_not_used_is_said(finished, copied, caplog):
    with caplog.at_level("INFO", logger="absl"):
        train(dataclasses.replace(copied, load_path=finished.model_dir))
    assert f"--load_path={finished.model_dir} is only for a new run and is not used" in caplog.text

"""Commands: short help, quiet start, and a message instead of a traceback for a user's mistake."""

import dataclasses
import logging
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from absl import flags

from hmr_tf2 import (
    HMR,
    HMRConfig,
    commands,
    convert_datasets,
    evaluate,
    export,
    flagfiles,
    quickstart,
)
from hmr_tf2.evaluate import EvaluateSettings
from hmr_tf2.export import ExportSettings
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.standin import __main__ as standin
from tfrecords_tools import system_errors
from tfrecords_tools.convert_settings import ConvertSettings
from tools import rooms

SAMPLES = pathlib.Path(__file__).parent / "samples"


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize(
    "command, arguments, message",
    [
        ("train", ["--batch_size=x"], "--batch_size accepts a whole number."),
        ("train", ["--batch_sise=3"], "Did you mean: batch_size"),
        ("train", ["--datasets=lsp,foo"], "--datasets accepts lsp, lsp_ext, mpii, coco"),
        ("train", ["--scale_min=2"], "--scale_min (2.0) must not exceed --scale_max (1.23)"),
        ("train", ["--flagfile=absent.cfg"], "--flagfile=absent.cfg does not exist"),
        ("train", ["surplus"], "Unexpected argument 'surplus'"),
        ("train", [], "--use_3d_label needs a data set with 3-D labels"),
        ("export", ["--export_dir=x"], "--load_path is needed"),
        ("export", ["--load_path=x"], "--export_dir is needed"),
        ("export", ["--load_path=absent", "--export_dir=x"], "No checkpoint at absent"),
        ("demo", ["absent.jpg", "--load_path=x"], "absent.jpg"),
        ("replay", [], "A file is needed: python -m hmr_tf2.replay"),
        ("replay", ["absent.npz"], "There is no file absent.npz."),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_1(command, arguments, message):
    done = run(f"hmr_tf2.{command}", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    # A run whose data cannot be used has said first which devices it uses.
    said = [line for line in done.stderr.splitlines() if " computes on the CPU" not in line]
    assert said[0].startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_commands_start_without_noise():
    done = run("hmr_tf2.train", "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "--smpl_model_path" in done.stdout


@pytest.mark.parametrize("program", ["hmr_tf2.export", "tfrecords_tools.verify"])
@pytest.mark.parametrize("seconds", [0.7, 1.5, 2.5])
def test_ctrl_c_while_a_command_starts_is_no_traceback(program, seconds, tmp_path):
    """Most of these moments lie in TensorFlow's import, which turns exceptions into others."""
    arguments = (
        [str(tmp_path)] if "verify" in program else [f"--load_path={tmp_path}", "--export_dir=x"]
    )
    with subprocess.Popen(
        [sys.executable, "-m", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        output = "".join(process.communicate(timeout=60))
    assert "Traceback" not in output
    assert process.returncode in (130, 1), "1 if it had already found nothing to do"


def test_the_package_lists_every_command_with_what_it_does():
    done = run("hmr_tf2")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    programs = {
        name.removesuffix(".__main__")
        for name, path in rooms.modules().items()
        if name.startswith(("hmr_tf2", "tfrecords_tools"))
        and any(line.startswith("python -m ") for line in path.read_text().splitlines()[:4])
    }
    listed = {line.split()[-1] for line in lines if line.startswith("  python -m ")}
    assert listed == programs - {"hmr_tf2", "hmr_tf2.standin.make_body"}
    sentences = [line.strip() for line in lines if line.startswith("      ")]
    assert len(sentences) == len(listed) and all(line[-1] in ".:" for line in sentences)


def test_help_that_is_read_in_part_only_ends_without_a_word():
    """As by `head` or by leaving `less`."""
    command = [sys.executable, "-m", "hmr_tf2.train", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_command_imports_the_model_and_its_libraries_without_noise():
    done = run(
        "timeit",
        "-n1",
        "-r1",
        "-s",
        "from tfrecords_tools import quiet_import; quiet_import.install(); "
        "from hmr_tf2 import HMR, SMPL; import hmr_tf2.training",
        "pass",
    )
    assert done.stderr == ""


def test_settings_survive_the_flagfile(tmp_path):
    settings = TrainConfig(
        data_dir="some where", datasets=("lsp", "h36m"), encoder_only=True, e_lr=1.5e-5, epoch=3
    )
    path = tmp_path / "flags.cfg"
    path.write_text("# a comment\n" + flagfiles.as_flagfile(settings))
    assert TrainConfig(**flagfiles.read_flagfile(path, TrainConfig)) == settings
    # A class with fewer fields passes over the others.
    assert HMRConfig(**flagfiles.read_flagfile(path, HMRConfig)).e_lr == 1.5e-5


def test_a_bad_value_in_a_flagfile_names_the_file(tmp_path):
    path = tmp_path / "flags.cfg"
    path.write_text("--epoch=many\n")
    with pytest.raises(ValueError, match="flags.cfg.*epoch"):
        flagfiles.read_flagfile(path, TrainConfig)


@pytest.mark.parametrize("settings", [TrainConfig, ExportSettings])
def test_flags_have_the_types_of_the_fields(settings):
    values = flags.FlagValues()
    flagfiles.define_flags(settings, values)
    values(["program"])
    for field in dataclasses.fields(settings):
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        assert values[field.name].value == default


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(num_stage=0), "--num_stage must be at least 1; got 0"),
        (dict(dropout_rate=1.0), "--dropout_rate must be below 1; got 1.0"),
        (dict(e_lr=0.0), "--e_lr must be above 0; got 0.0"),
        (dict(e_lr=float("nan")), "--e_lr must be above 0; got nan"),
        (dict(joint_type="h36m"), "--joint_type accepts cocoplus, lsp; got 'h36m'"),
        (dict(model_type="vgg"), "--model_type accepts resnet_fc3_dropout, small_.*; got 'vgg'"),
    ],
)
def test_settings_outside_their_limits_name_the_flag(change, message):
    with pytest.raises(ValueError, match=message):
        HMRConfig(**change)


def test_a_model_without_a_body_says_which_file_it_needs():
    with pytest.raises(ValueError, match="--smpl_model_path is needed.*quickstart"):
        HMR(HMRConfig())


def message_of(main, settings):
    """What the command prints of the error that it ends with."""
    with pytest.raises((ValueError, OSError)) as caught:
        main(settings)
    return system_errors.sentence(caught.value, dataclasses.asdict(settings))


@pytest.mark.parametrize("kind", ["a file", "in a file"])
@pytest.mark.parametrize(
    "flag, main, settings",
    [
        ("out_dir", evaluate.main, EvaluateSettings(load_path="x", datasets=("lsp",))),
        ("export_dir", export.main, ExportSettings(load_path="x", export_dir="y")),
        ("out", quickstart.main, quickstart.QuickstartSettings()),
        ("out", standin.main, standin.StandinSettings(out="y", people=1)),
        ("models", standin.main, standin.StandinSettings(out="y", people=1)),
        (
            "data_dir",
            convert_datasets.main,
            ConvertSettings(
                datasets=("lsp",), lsp_dir=str(SAMPLES / "raw" / "lsp_dataset"), data_dir="y"
            ),
        ),
    ],
)
def test_an_output_folder_that_is_a_file_is_named_with_its_flag_before_any_work(
    flag, main, settings, kind, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file") if kind == "a file" else str(tmp_path / "file" / "new")
    message = message_of(main, dataclasses.replace(settings, **{flag: folder}))
    assert str(tmp_path / "file") in message and "is a file" in message
    assert message.endswith(f"--{flag} names it.")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("gone", [True, False])
def test_an_smpl_file_that_is_gone_or_a_folder_is_named_with_its_flag(gone, tmp_path):
    path = tmp_path / "smpl.pkl"
    if not gone:
        path.mkdir()
    config = TrainConfig(smpl_model_path=str(path), data_dir=str(tmp_path), encoder_only=True)
    message = message_of(lambda config: HMR(config), config)
    assert str(path) in message and "--smpl_model_path" in message and "[Errno" not in message


def test_remarks_that_tensorflow_logs_for_its_developers_are_left_out(caplog):
    def record(folder, level):
        path = os.sep.join(["", "site-packages", *folder.split("/"), "saver.py"])
        return logging.LogRecord("absl", level, path, 1, "A remark", (), None)

    for folder, level, is_shown in (
        ("tensorflow/python/checkpoint", logging.INFO, False),
        ("tensorflow/python/checkpoint", logging.WARNING, True),
        ("hmr_tf2/training", logging.INFO, True),
        ("tensorflow_of_mine/python", logging.INFO, True),
    ):
        assert commands._is_for_users(record(folder, level)) is is_shown

"""One device, two devices, two processes: the same global batch gives the same step."""

import dataclasses
import functools
import json
import os
import pathlib
import socket
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import flagfiles, training
from hmr_tf2.hmr.system import HMR_SYSTEM
from hmr_tf2.training import history, strategies

train = functools.partial(training.train, system=HMR_SYSTEM)

ROOT = pathlib.Path(__file__).parents[2]
TWO_DEVICES = """
import sys
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from hmr_tf2 import flagfiles, training
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.system import HMR_SYSTEM
training.train(TrainConfig(**flagfiles.read_flagfile(sys.argv[1], TrainConfig)), HMR_SYSTEM)
"""
SLOT = ".OPTIMIZER_SLOT"


@pytest.fixture(scope="module")
def config(small_config):
    """Two steps of four pictures with dropout; the rates are too small to move a weight.

    So the slots of Adam hold the gradients of the same weights, which training would drive apart:
    where a gradient is about zero, Adam's step is as long as anywhere.
    """
    return dataclasses.replace(
        small_config,
        batch_size=4,
        steps_per_epoch=2,
        epoch=1,
        e_lr=1e-30,
        d_lr=1e-30,
    )


@pytest.fixture(scope="module")
def on_one_device(config, tmp_path_factory):
    config = dataclasses.replace(config, model_dir=str(tmp_path_factory.mktemp("single")))
    train(config)
    return config


def environment(**variables):
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT), **variables}


def losses_of(folder):
    return {
        tag: [value for _, value in values]
        for tag, values in history.read_scalars(folder).items()
        if tag.startswith("loss/")
    }


def assert_same_run(folder, expected_folder, num_stage=3):
    """Losses, gradients and batch norm averages of two runs agree to float32 rounding."""
    got, expected = losses_of(folder), losses_of(expected_folder)
    assert got.keys() == expected.keys()
    for tag, values in expected.items():
        np.testing.assert_allclose(got[tag], values, rtol=2e-5, atol=1e-6, err_msg=tag)
    reader, expected_reader = (tf.train.load_checkpoint(str(f)) for f in (folder, expected_folder))
    compared = 0
    for name in expected_reader.get_variable_to_shape_map():
        # Biases before batch norms have no gradient but rounding.
        if "VARIABLE_VALUE" not in name or ("encoder" in name and "bias" in name):
            continue
        value, other = expected_reader.get_tensor(name), reader.get_tensor(name)
        if value.dtype == np.float32 and (SLOT in name or "moving" in name):
            if "moving_variance" in name:
                # Synchronised batch norms leave out the factor n / (n - 1), n >= 196, of the
                # variances that were averaged in, here what is above two steps' rest of 1.
                value, other = value - 0.997**2, other - 0.997**2
                tolerance = 1.05 / 195
            elif "encoder" in name:
                # Rounding that switches a unit on or off: the other formula of the variance,
                # E[x^2] - E[x]^2, moves these gradients by 2.4e-2 on one device.
                tolerance = 3e-2
            else:
                tolerance = 2e-4
            error = np.linalg.norm(value - other)
            assert error <= tolerance * np.linalg.norm(value) + 1e-9, f"{name}: {error}"
            compared += 1
    assert compared > 80


def test_two_devices_compute_the_step_of_one(config, on_one_device, tmp_path):
    config = dataclasses.replace(config, model_dir=str(tmp_path / "run"), strategy="mirrored")
    flags = tmp_path / "flags.cfg"
    flags.write_text(flagfiles.as_flagfile(config))
    subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, str(flags)], env=environment(), check=True, timeout=500
    )
    assert_same_run(config.model_dir, on_one_device.model_dir)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@pytest.mark.slow
def test_two_processes_compute_the_step_of_one_and_the_chief_alone_writes(
    config, on_one_device, tmp_path
):
    config = dataclasses.replace(config, model_dir=str(tmp_path / "run"), strategy="multiworker")
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "hmr_tf2.train", *flagfiles.as_flagfile(config).splitlines()],
            env=environment(
                TF_CONFIG=json.dumps(
                    {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
                )
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(2)
    ]
    outputs = [process.communicate(timeout=500)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert_same_run(config.model_dir, on_one_device.model_dir)
    names = {path.name.split(".")[0] for path in pathlib.Path(config.model_dir).iterdir()}
    assert names == {"checkpoint", "ckpt-2", "events", "flags", "run", "train"}
    assert len(list(pathlib.Path(config.model_dir).glob("events*"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"cluster": {}}',
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_an_unusable_TF_CONFIG_is_answered_with_an_example(text):
    with pytest.raises(ValueError, match="(?s)--strategy=multiworker needs.*host0:2222"):
        strategies.check_tf_config(text)


def test_a_batch_that_does_not_divide_is_refused():
    strategy = types.SimpleNamespace(num_replicas_in_sync=2)
    strategies.check_batch_size(strategy, 4)
    with pytest.raises(ValueError, match="--batch_size .* must be a multiple of .*2; got 3"):
        strategies.check_batch_size(strategy, 3)

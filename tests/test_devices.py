"""The line that says which devices are used, and the warning of an NVIDIA card that is not.

There is no card here: TensorFlow's answers, NVIDIA's programs and its driver are stand-ins.
"""

import ast
import ctypes
import os
import pathlib
import re
import subprocess
import sys
import time
import types

import pytest
import tensorflow as tf
from absl import logging

from hmr_tf2 import demo, devices, evaluate, export, gpu_faults, nvidia, quickstart, replay, train
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.nvidia import Card, Driver
from tools import rooms

ROOT = pathlib.Path(__file__).parents[1]
BUILD = {
    "is_cuda_build": True,
    "cuda_version": "12.2",
    "cudnn_version": "8",
    "cuda_compute_capabilities": ["sm_50", "sm_60", "sm_70", "sm_75", "compute_80"],
}
NEW_BUILD = {
    **BUILD,
    "cuda_version": "12.5.1",
    "cudnn_version": "9",
    "cuda_compute_capabilities": ["sm_60", "sm_70", "sm_80", "sm_89", "compute_90"],
}
WITHOUT_CUDA = {"is_cuda_build": False}
RTX_3090 = Card("NVIDIA GeForce RTX 3090", (8, 6))
H100 = Card("NVIDIA H100 PCIe", (9, 0))
RUNS = Driver(cuda=(12, 4), memory={RTX_3090.name: 24.0, H100.name: 79.6})


# The line.


@pytest.mark.parametrize(
    "used, num_gpus, cores, hidden, line",
    [
        ([], 0, 2, None, "the CPU, 2 cores."),
        ([], 0, 1, None, "the CPU, 1 core."),
        ([], 0, 2, "X=-1 hides cards", "the CPU, 2 cores; X=-1 hides cards."),
        ([Card("H100", gib=79.6)], 1, 16, None, "1 GPU (H100, 80 GiB) and 16 CPU cores."),
        ([H100], 8, 1, None, "1 of 8 GPUs (NVIDIA H100 PCIe) and 1 CPU core."),
        ([H100] * 2, 2, 4, None, "2 GPUs (2 x NVIDIA H100 PCIe) and 4 CPU cores."),
        (
            [Card("A", None, 24.0), Card("B"), Card("A", None, 24.0)], 3, 4, None,
            "3 GPUs (2 x A, 24 GiB each; B) and 4 CPU cores.",
        ),
    ],
)  # fmt: skip
def test_one_sentence_says_what_is_computed_on(used, num_gpus, cores, hidden, line):
    said = devices.describe("2.15.1", used, num_gpus, cores, hidden)
    assert said == f"TensorFlow 2.15.1 computes on {line}"


def test_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    assert devices.available_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert devices.available_cores() == 8


@pytest.mark.parametrize(
    "setting, is_hidden",
    [
        (None, False),
        ("", True),
        ("-1", True),
        ("-1,0", True),
        ("NoDevFiles", True),
        ("0", False),
        ("1,-1", False),
        ("GPU-8932f937", False),
        ("MIG-GPU-8932f937/1/2", False),
    ],
)
def test_cards_are_hidden_by_a_list_whose_first_entry_is_no_card(setting, is_hidden):
    assert devices.is_hidden(setting) is is_hidden


# What is asked, and of whom.


@pytest.fixture
def machine(monkeypatch):
    """machine(...) -> the messages that `log_devices` logs there.

    Whatever the test does not name is not asked: it fails.
    """
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def log(
        found=(), visible=None, build=BUILD, driver=None, bus=(), smi=None, missing=(), **options
    ):
        places = {card: types.SimpleNamespace(card=card) for card in found}
        answers = {
            "list_physical_devices": [places[card] for card in found],
            "get_visible_devices": [places[c] for c in (found if visible is None else visible)],
        }
        for name, answer in answers.items():
            monkeypatch.setattr(tf.config, name, lambda kind, answer=answer: answer)
        monkeypatch.setattr(
            tf.config.experimental,
            "get_device_details",
            lambda place: dict(
                device_name=place.card.name, compute_capability=place.card.capability
            ),
        )
        monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: build)
        monkeypatch.setattr(tf, "__version__", "2.15.1")
        monkeypatch.setattr(devices, "available_cores", lambda: 2)
        monkeypatch.setattr(nvidia, "cards_on_the_bus", lambda: list(bus))
        monkeypatch.setattr(nvidia, "nvidia_smi", lambda: smi and "nvidia-smi")
        monkeypatch.setattr(nvidia, "ask_nvidia_smi", lambda: smi or pytest.fail("was asked"))
        monkeypatch.setattr(
            nvidia, "ask_driver", lambda libraries: driver or pytest.fail("was asked")
        )
        monkeypatch.setattr(nvidia, "not_loadable", lambda libraries: list(missing))
        return devices.report(**options)

    return log


def test_nothing_is_asked_of_a_machine_without_cards(machine):
    assert machine() == ("TensorFlow 2.15.1 computes on the CPU, 2 cores.", [])


def test_only_the_driver_is_asked_where_TensorFlow_uses_all_cards(machine):
    line, warnings = machine(found=[RTX_3090], driver=RUNS, bus=[RTX_3090])
    assert "on 1 GPU (NVIDIA GeForce RTX 3090, 24 GiB) and 2 CPU cores." in line
    assert warnings == []


def test_a_program_without_a_strategy_uses_the_first_gpu_alone(machine):
    both = dict(found=[RTX_3090, H100], driver=RUNS, bus=[RTX_3090, H100])
    line, warnings = machine(**both)
    assert "on 1 of 2 GPUs (NVIDIA GeForce RTX 3090, 24 GiB)" in line and warnings == []
    line, warnings = machine(**both, every_gpu=True)
    assert "on 2 GPUs (NVIDIA GeForce RTX 3090, 24 GiB; NVIDIA H100 PCIe, 80 GiB)" in line
    assert len(warnings) == 1 and "NVIDIA H100 PCIe" in warnings[0]


def test_gpus_of_other_makers_are_named_and_NVIDIA_is_not_asked(machine):
    line, warnings = machine(found=[Card("METAL")], build=WITHOUT_CUDA)
    assert "on 1 GPU (METAL) and 2 CPU cores." in line and warnings == []


@pytest.mark.parametrize("setting", ["", "-1"])
def test_cards_that_the_environment_hides_are_a_remark_and_no_warning(
    machine, monkeypatch, setting
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    line, warnings = machine(bus=[RTX_3090])
    hides = f"CUDA_VISIBLE_DEVICES={setting} hides NVIDIA GeForce RTX 3090."
    assert line.endswith(f"2 cores; {hides}") and warnings == []
    line, warnings = machine(bus=[])
    assert line.endswith("on the CPU, 2 cores.") and warnings == []


def test_cards_that_the_program_hides_are_a_remark_and_no_warning(machine):
    line, warnings = machine(found=[H100], visible=[], bus=[H100])
    assert line.endswith("2 cores; tf.config.set_visible_devices hides 1 GPU.")
    assert warnings == []


def test_a_choice_among_several_cards_is_no_fault(machine, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert machine(found=[RTX_3090], driver=RUNS, bus=[H100, RTX_3090])[1] == []


def test_the_cards_that_a_container_does_not_hold_are_no_fault(machine):
    four = [RTX_3090] * 4
    assert machine(found=[RTX_3090], driver=RUNS, bus=four, smi=([RTX_3090], None))[1] == []
    # Where NVIDIA's program is missing, nobody knows which of them are the container's.
    assert machine(found=[RTX_3090], driver=RUNS, bus=four, smi=([], "absent"))[1] == []


def test_the_card_that_is_left_out_beside_another_is_named(machine):
    small = Card("NVIDIA T400", (7, 5))
    both = [RTX_3090, small]
    _, (warning,) = machine(found=[RTX_3090], driver=RUNS, bus=both, smi=(both, None))
    assert warning.startswith("TensorFlow 2.15.1 does not use NVIDIA T400: ")
    assert "TF_MIN_GPU_MULTIPROCESSOR_COUNT=1" in warning


def test_a_card_that_is_not_used_is_named_once_with_reason_and_remedy(machine):
    _, (warning,) = machine(
        bus=[Card()] * 2, smi=([RTX_3090] * 2, None), driver=RUNS, missing=["libcudnn.so.8"]
    )
    assert warning.startswith(
        "TensorFlow 2.15.1 does not use 2 x NVIDIA GeForce RTX 3090: libcudnn.so.8 of CUDA is not "
        "found. To install all that is needed: "
    )


def test_a_card_without_a_name_is_noticed_too(machine):
    """As in a container without NVIDIA's programs, or where there is no driver."""
    absent = Driver(absent=("libcuda.so.1",))
    _, (warning,) = machine(bus=[Card()], smi=([], None), driver=absent)
    assert "does not use an NVIDIA card: libcuda.so.1 of NVIDIA's driver" in warning
    _, (warning,) = machine(bus=[Card()] * 2, smi=([], None), driver=absent)
    assert "does not use 2 NVIDIA cards: " in warning


def test_NVIDIAs_program_on_a_machine_without_a_card_is_no_warning(machine):
    """As in an image that serves machines of both kinds."""
    assert machine(smi=([], "couldn't communicate with the NVIDIA driver"))[1] == []


def test_a_build_without_CUDA_does_not_start_the_driver(machine):
    _, (warning,) = machine(build=WITHOUT_CUDA, bus=[H100], smi=([H100], None))
    assert "does not use NVIDIA H100 PCIe: " in warning and "no CUDA" in warning


def test_whatever_fails_is_logged_and_ends_nothing(monkeypatch, caplog):
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {}["absent"])
    with caplog.at_level("INFO", logger="absl"):
        devices.log_devices()
    assert caplog.messages == ["The devices are not known: KeyError: 'absent'"]


# Why a card is not used, and what will go wrong on one that is.


@pytest.mark.parametrize(
    "system, machine, remedy",
    [
        ("win32", "AMD64", "Install it in WSL2"),
        ("linux", "aarch64", "its builds for aarch64 have no CUDA. Use Linux .* x86-64"),
        ("darwin", "arm64", "Use Linux on a machine with x86-64"),
        ("linux", "x86_64", r"pip install 'tensorflow\[and-cuda\]==2.15.1'"),
    ],
)
def test_a_build_without_CUDA_is_answered_with_where_there_is_one(
    monkeypatch, system, machine, remedy
):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    reason = gpu_faults.why_unused(H100, "2.15.1", WITHOUT_CUDA, Driver(), ["libcudnn.so.8"])
    assert "have no CUDA" in reason or "has no CUDA" in reason
    assert re.search(remedy, reason)


@pytest.mark.parametrize(
    "driver, silence, setting, parts",
    [
        (
            Driver(absent=("libcuda.so.1", "libnvidia-ml.so.1")), None, None,
            ["libcuda.so.1 of NVIDIA's driver is not found", "driver 525.60.13", "`--gpus all`"],
        ),
        (
            Driver(absent=("libnvidia-ml.so.1",)), None, None,
            ["libnvidia-ml.so.1", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"],
        ),
        (
            Driver(error="unknown error, code 999", code=999), None, None,
            ["driver does not run (unknown error, code 999)", "Restart", "525.60.13 or a newer"],
        ),
        (
            Driver(error="system has unsupported display driver, code 803", code=803),
            "Failed to initialize NVML: Driver/library version mismatch", None,
            ["does not run (Failed to initialize NVML: Driver/library version mismatch)"],
        ),
        (
            Driver(error="no device, code 100", code=100), "No devices were found", None,
            ["closed to this process", "`--gpus all`", "`--gres=gpu:1`"],
        ),
        (
            Driver(error="no device, code 100", code=100), None, "7",
            ["CUDA_VISIBLE_DEVICES=7 names no card that is there", "nvidia-smi -L"],
        ),
        (
            Driver(cuda=(11, 4)), None, None,
            ["driver runs CUDA 11.4 at most, and TensorFlow needs 12", "525.60.13 or a newer"],
        ),
    ],
)  # fmt: skip
def test_the_driver_comes_before_the_libraries(driver, silence, setting, parts):
    """Which TensorFlow does not even look for without a driver."""
    missing = gpu_faults.cuda_libraries(BUILD)
    reason = gpu_faults.why_unused(RTX_3090, "2.15.1", BUILD, driver, missing, silence, setting)
    assert [part for part in parts if part not in reason] == [], reason


def test_NVIDIAs_program_that_fails_beside_a_driver_that_runs_is_not_the_reason():
    reason = gpu_faults.why_unused(Card(), "2.15.1", BUILD, RUNS, ["libcudnn.so.8"], "no answer")
    assert "libcudnn.so.8" in reason and "no answer" not in reason


def test_the_libraries_are_those_that_TensorFlow_looks_for():
    """Its log lists them with TF_CPP_MAX_VLOG_LEVEL=1."""
    assert set(gpu_faults.cuda_libraries(BUILD)) == {
        "libcudart.so.12",
        "libcublas.so.12",
        "libcublasLt.so.12",
        "libcufft.so.11",
        "libcusolver.so.11",
        "libcusparse.so.12",
        "libcudnn.so.8",
    }
    assert "libcudnn.so.9" in gpu_faults.cuda_libraries(NEW_BUILD)
    assert gpu_faults.driver_libraries("2.15.1") == ("libcuda.so.1",)
    assert gpu_faults.driver_libraries("2.21.0") == ("libcuda.so.1", "libnvidia-ml.so.1")


def test_the_libraries_are_installed_in_a_checkout_with_its_pins(monkeypatch, tmp_path):
    import hmr_tf2

    monkeypatch.setattr(sys, "executable", "/a venv/bin/python")
    monkeypatch.setattr(hmr_tf2, "__file__", str(tmp_path / "hmr_tf2" / "__init__.py"))
    pip = "'/a venv/bin/python' -m pip install"
    assert gpu_faults.install_command("2.21.0") == f"{pip} 'hmr_tf2[gpu]'"
    (tmp_path / "setup.py").touch()
    assert gpu_faults.install_command("2.21.0") == f"cd {tmp_path} && {pip} -e '.[gpu]'"
    (tmp_path / "constraints").mkdir()
    (tmp_path / "constraints" / "tensorflow-2.21.txt").touch()
    assert gpu_faults.install_command("2.21.0") == (
        f"cd {tmp_path} && {pip} -c constraints/tensorflow-2.21.txt -e '.[gpu]'"
    )


def test_a_card_too_old_for_every_build_has_no_remedy():
    reason = gpu_faults.why_unused(Card("K2000", (3, 0)), "2.15.1", BUILD, RUNS)
    assert "no kernels for compute capability 3.0. No other version" in reason


def test_a_card_too_old_for_this_build_needs_the_older_one():
    reason = gpu_faults.why_unused(Card("GTX 980", (5, 2)), "2.21.0", NEW_BUILD, RUNS)
    assert "Python 3.10 or 3.11 takes TensorFlow 2.15.1, which has them." in reason


@pytest.mark.parametrize("card", [RTX_3090, H100, Card("unknown")])
def test_without_a_reason_TensorFlow_is_to_be_asked(card):
    reason = gpu_faults.why_unused(card, "2.15.1", BUILD, RUNS)
    assert "reason is not known" in reason and "TF_CPP_MIN_LOG_LEVEL=0 python -c" in reason


@pytest.mark.parametrize(
    "capability, old, new",
    [
        ((3, 5), "none", "none"),
        ((5, 2), "own", "none"),
        ((6, 1), "own", "own"),
        ((7, 2), "own", "own"),
        ((8, 6), "own", "own"),  # the kernels of 8.0 run on later ones of 8
        ((9, 0), "compiled", "own"),
        ((12, 0), "compiled", "compiled"),
    ],
)
def test_kernels_run_within_a_major_version_and_are_compiled_for_newer_ones(capability, old, new):
    for build, expected in ((BUILD, old), (NEW_BUILD, new)):
        entries = gpu_faults.built_for(build)
        found = "compiled" if gpu_faults.can_compile(capability, entries) else "none"
        assert ("own" if gpu_faults.has_kernels(capability, entries) else found) == expected


def test_kernels_of_a_later_minor_version_do_not_run():
    """As TensorFlow 2.3, which was built for 5.2, did not run on cards of 5.0."""
    assert not gpu_faults.has_kernels((5, 0), ["sm_52", "compute_70"])
    assert gpu_faults.has_kernels((5, 3), ["sm_52", "compute_70"])


@pytest.mark.parametrize(
    "version, build, capability, parts",
    [
        ("2.15.1", BUILD, (8, 9), None),
        ("2.15.1", BUILD, (9, 0), ["9.0 and compiles", "half an hour. Python 3.12 or 3.13 takes"]),
        ("2.21.0", NEW_BUILD, (9, 0), None),
        ("2.15.1", BUILD, (12, 0), ["12.0 and compiles", "hour or fail. No other version"]),
        ("2.21.0", NEW_BUILD, (12, 0), ["12.0 and compiles", "CUDA_VISIBLE_DEVICES=-1"]),
        ("2.21.0", NEW_BUILD, (5, 2), ["5.2 and stops", "Python 3.10 or 3.11 takes"]),
        ("2.15.1", BUILD, (3, 5), ["3.5 and stops", "CUDA_VISIBLE_DEVICES=-1"]),
        ("2.15.1", BUILD, None, None),
        ("2.15.1", {**BUILD, "cuda_compute_capabilities": []}, (9, 0), None),
    ],
)
def test_a_card_is_warned_of_that_TensorFlow_offers_without_kernels_for_it(
    version, build, capability, parts
):
    cards = [Card("NVIDIA X", capability)] * 2
    warnings = gpu_faults.faults_of_used(cards, version, build, RUNS)
    assert len(warnings) == (parts is not None)
    for warning in warnings:
        assert warning.startswith(f"TensorFlow {version} on NVIDIA X: ")
        assert [part for part in parts if part not in warning] == [], warning


def test_a_card_is_warned_of_that_TensorFlow_offers_with_a_driver_too_old_for_it():
    """It fails at the first operation, at which it says nothing of versions."""
    old = Driver(cuda=(11, 4))
    (warning,) = gpu_faults.faults_of_used([H100], "2.15.1", BUILD, old)
    assert warning.startswith("TensorFlow 2.15.1 will fail on NVIDIA H100 PCIe: ")
    assert "Install NVIDIA's driver 525.60.13 or a newer one." in warning
    assert gpu_faults.faults_of_used([H100], "2.21.0", NEW_BUILD, Driver(cuda=(12, 0))) == []


def test_the_stacks_are_those_of_the_packages():
    requirements = (ROOT / "setup.py").read_text(encoding="utf-8")
    built_for = {version: entries for version, entries in gpu_faults.STACKS.values()}
    assert gpu_faults.built_for(tf.sysconfig.get_build_info()) in ((), built_for[tf.__version__])
    for version in built_for:
        assert f"tensorflow=={version}" in requirements


# NVIDIA's program, its driver, and what Linux knows.


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """nvidia_smi(script) puts a program of that name on the path, which has nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(nvidia, "WSL_DRIVER", "absent")

    def write(script):
        program = folder / nvidia.NVIDIA_SMI
        program.write_text(script)
        program.chmod(0o755)

    return write


def test_cards_have_names_and_compute_capabilities(nvidia_smi):
    nvidia_smi(
        '#!/bin/sh\n[ "$*" = "--query-gpu=name,compute_cap --format=csv,noheader" ] || exit 2\n'
        "echo 'NVIDIA GeForce RTX 3090, 8.6'\necho 'NVIDIA H100 PCIe, 9.0'"
    )
    assert nvidia.ask_nvidia_smi() == ([RTX_3090, H100], None)


def test_a_program_that_does_not_know_compute_capabilities_is_asked_for_names(nvidia_smi):
    nvidia_smi(
        """#!/bin/sh
        case "$1" in *compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'
            exit 2;; esac
        echo 'Tesla K80'; echo 'Tesla K80'"""
    )
    assert nvidia.ask_nvidia_smi() == ([Card("Tesla K80")] * 2, None)


@pytest.mark.parametrize("value", ["[N/A]", "[Not Supported]", "", "9", "9.x", "-1.0"])
def test_a_compute_capability_that_is_no_number_is_not_known(value):
    assert nvidia.parse_cards(f"NVIDIA X, {value}\n\n") == [Card("NVIDIA X")]


@pytest.mark.parametrize(
    "script, said",
    [
        (
            "#!/bin/sh\necho\necho 'NVIDIA-SMI has failed because it could not communicate.'\n"
            "echo 'Make sure that'\nexit 9",
            "NVIDIA-SMI has failed because it could not communicate.",
        ),
        ("#!/bin/sh\necho 'No devices were found'\nexit 6", "No devices were found"),
        ("#!/bin/sh\necho 'on stderr' >&2\nexit 18", "on stderr"),
        ("#!/bin/sh\nexit 3", "exit code 3"),
        ("#!/bin/sh\nprintf '\\377\\n'; exit 3", "\N{REPLACEMENT CHARACTER}"),
        ("#!/absent/shell", "No such file"),
        ("no program", "Exec format error"),
        ("#!/bin/sh\nkill -SEGV $$", "exit code -11"),
    ],
)
def test_a_program_that_fails_is_quoted(nvidia_smi, script, said):
    nvidia_smi(script)
    cards, silence = nvidia.ask_nvidia_smi()
    assert cards == [] and said in silence and "\n" not in silence


def test_a_program_that_hangs_is_left(nvidia_smi, monkeypatch):
    monkeypatch.setattr(nvidia, "TIMEOUT", 0.3)
    nvidia_smi("#!/bin/sh\nexec /bin/sleep 60")
    start = time.monotonic()
    assert nvidia.ask_nvidia_smi() == ([], "no answer within 0.3 seconds")
    assert time.monotonic() - start < 10


def test_no_program_is_no_answer(nvidia_smi):
    assert nvidia.nvidia_smi() is None
    assert nvidia.ask_nvidia_smi() == ([], None)


def write_files(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    "files, cards",
    [
        ({}, []),
        (
            {
                "proc/driver/nvidia/gpus/0000:01:00.0/information": (
                    "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:   \t\t 40\n"
                ),
                "dev/nvidia0": "",
                "dev/nvidia1": "",
            },
            [Card(RTX_3090.name)],
        ),
        ({"proc/driver/nvidia/gpus/0000:01:00.0/information": ""}, [Card()]),
        ({"dev/nvidia0": "", "dev/nvidiactl": "", "dev/nvidia-uvm": ""}, [Card()]),
        (
            {
                "sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n",
                "sys/bus/pci/devices/0000:01:00.0/class": "0x030200\n",
                # The sound of the same card, a card of another maker, and a broken entry.
                "sys/bus/pci/devices/0000:01:00.1/vendor": "0x10de\n",
                "sys/bus/pci/devices/0000:01:00.1/class": "0x040300\n",
                "sys/bus/pci/devices/0000:02:00.0/vendor": "0x1002\n",
                "sys/bus/pci/devices/0000:02:00.0/class": "0x030000\n",
                "sys/bus/pci/devices/0000:03:00.0/vendor": "0x10de\n",
            },
            [Card()],
        ),
        ({"usr/lib/wsl/lib/libcuda.so.1": ""}, [Card()]),
    ],
)
def test_Linux_knows_cards_whether_or_not_they_have_a_driver(tmp_path, files, cards):
    write_files(tmp_path, files)
    assert nvidia.cards_on_the_bus(tmp_path) == cards


class FakeCuda:
    """The functions of libcuda.so.1 that are called; the version and memory of two cards."""

    def __init__(self, code=0):
        self.code = code

    def cuInit(self, flags):
        return self.code

    def cuGetErrorString(self, code, text):
        text._obj.value = b"unknown error"

    def cuDriverGetVersion(self, version):
        version._obj.value = 12040

    def cuDeviceGetCount(self, count):
        count._obj.value = 2

    def cuDeviceGet(self, device, number):
        device._obj.value = number

    def cuDeviceGetName(self, name, size, device):
        name.value = (RTX_3090, H100)[device.value].name.encode()

    def cuDeviceTotalMem_v2(self, size, device):
        size._obj.value = (24 << 30, 80 << 30)[device.value]


def test_a_driver_that_runs_tells_its_version_and_the_memory_of_the_cards(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeCuda())
    assert nvidia.ask_driver(["libcuda.so.1"]) == Driver(
        cuda=(12, 4), memory={RTX_3090.name: 24.0, H100.name: 80.0}
    )


def test_a_driver_that_does_not_start_tells_why(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeCuda(999))
    assert nvidia.ask_driver(["libcuda.so.1"]) == Driver(error="unknown error, code 999", code=999)


def test_libraries_that_the_loader_does_not_find_are_missing():
    standard = "libc.so.6" if sys.platform == "linux" else None
    assert nvidia.not_loadable([standard, "libabsent.so.12"]) == ["libabsent.so.12"]
    assert nvidia.ask_driver(["libabsent.so.12"]) == Driver(absent=("libabsent.so.12",))


def test_devices_can_still_be_configured_afterwards(nvidia_smi):
    """And so strategies of several machines be made, which must come before the first device."""
    nvidia_smi("#!/bin/sh\necho 'NVIDIA H100 PCIe, 9.0'")
    script = (
        "from tfrecords_tools import quiet_import; quiet_import.install()\n"
        "import tensorflow as tf; from hmr_tf2 import devices; devices.log_devices()\n"
        "(cpu,) = tf.config.list_physical_devices('CPU')\n"
        "parts = [tf.config.LogicalDeviceConfiguration()] * 2\n"
        "tf.config.set_logical_device_configuration(cpu, parts)\n"
        "assert len(tf.config.list_logical_devices('CPU')) == 2"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "does not use NVIDIA H100 PCIe: " in done.stderr


# The commands.


class Begun(Exception):
    """Raised where a command's work begins."""


def begin(*arguments, **options):
    logging.info("The work begins.")
    raise Begun


def until_work(command, monkeypatch, tmp_path):
    """Runs a command with flags that pass, to where its work begins."""
    from hmr_tf2 import loading, training
    from hmr_tf2.checkpoints import run_folder
    from hmr_tf2.evaluation import protocols
    from hmr_tf2.training import failures
    from hmr_tf2.training import replay as training_replay

    def answer(*arguments, **options):
        return types.SimpleNamespace(path=tmp_path / "failed_batch_3.npz", step=3)

    out = str(tmp_path / "out")
    found, work, settings = {
        train: ([], (training, "train"), TrainConfig(encoder_only=True, use_3d_label=False)),
        demo: (
            [],
            (loading, "load_predictor"),
            demo.DemoSettings(img_path=str(tmp_path / "*.png"), load_path="run", out_dir=out),
        ),
        evaluate: (
            [(protocols, "find")],
            (loading, "load_predictor"),
            evaluate.EvaluateSettings(load_path=str(tmp_path / "export"), out_dir=out),
        ),
        export: (
            [(run_folder, "checkpoint_prefix")],
            (loading, "load_model"),
            export.ExportSettings(load_path="run", export_dir=out),
        ),
        replay: (
            [(failures, "read_failed_batch"), (training_replay, "run_settings")],
            (training_replay, "replay"),
            replay.ReplaySettings(batch_file="failed_batch_3.npz"),
        ),
        quickstart: ([], (quickstart, "make_standin"), quickstart.QuickstartSettings(out=out)),
    }[command]
    write_files(tmp_path, {"picture.png": "", "export/1/saved_model.pb": ""})
    for place, name in found:
        monkeypatch.setattr(place, name, answer)
    monkeypatch.setattr(*work, begin)
    with pytest.raises(Begun):
        command.main(settings)


COMMANDS = (train, demo, evaluate, export, replay, quickstart)


@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_the_first_line_of_every_run(command, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(devices, "report", lambda every_gpu: ("On the CPU.", ["But why?"]))
    with caplog.at_level("INFO", logger="absl"):
        until_work(command, monkeypatch, tmp_path)
    assert caplog.messages == ["On the CPU.", "But why?", "The work begins."]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "INFO"]


def test_it_is_said_by_commands_only_and_once_by_each():
    """The quickstart does what several of them do."""
    calls = {
        name: [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("log_devices")
        ]
        for name, path in rooms.modules().items()
    }
    said = {name: len(found) for name, found in calls.items() if found}
    assert said == {command.__name__: 1 for command in COMMANDS}


@pytest.mark.parametrize(
    "strategy, every_gpu", [("single", False), ("mirrored", True), ("multiworker", True)]
)
def test_a_strategy_uses_every_gpu(strategy, every_gpu, monkeypatch):
    from hmr_tf2 import training

    asked = []
    monkeypatch.setattr(training, "train", begin)
    monkeypatch.setattr(devices, "log_devices", lambda every_gpu: asked.append(every_gpu))
    with pytest.raises(Begun):
        train.main(TrainConfig(encoder_only=True, use_3d_label=False, strategy=strategy))
    assert asked == [every_gpu]

"""Why TensorFlow cannot use an NVIDIA card, or will fail on it, and what to do about it.

What begins in lower case is said after a colon.
"""

import pathlib
import platform
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import hmr_tf2
from hmr_tf2.nvidia import NO_DEVICE, Card, Driver, names

# What the TensorFlow of each Python was built for, as its `get_build_info` lists it: `sm` means
# kernels, `compute` kernels with their source, which the driver can compile for newer cards.
STACKS = {
    "Python 3.10 or 3.11": ("2.15.1", ("sm_50", "sm_60", "sm_70", "sm_75", "compute_80")),
    "Python 3.12 or 3.13": ("2.21.0", ("sm_60", "sm_70", "sm_80", "sm_89", "compute_90")),
}
# The first drivers that run programs of a major version of CUDA (NVIDIA, CUDA Compatibility).
FIRST_DRIVER = {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}
# Names of CUDA 12's libraries that do not follow from its version.
OWN_NUMBERS = {12: ("libcufft.so.11", "libcusolver.so.11", "libcusparse.so.12")}
VISIBLE = "CUDA_VISIBLE_DEVICES"
NOWHERE = "No other version that we know has them"


def driver_libraries(version: str) -> tuple[str, ...]:
    """The libraries of NVIDIA's driver without which a version of TensorFlow offers no card."""
    has_nvml = tuple(map(int, version.split(".")[:2])) > (2, 15)
    return ("libcuda.so.1", "libnvidia-ml.so.1") if has_nvml else ("libcuda.so.1",)


def cuda_libraries(build: Mapping[str, Any]) -> tuple[str, ...]:
    """The libraries of CUDA without which a build offers no card."""
    cuda, cudnn = major(build["cuda_version"]), major(build["cudnn_version"])
    names = (f"lib{name}.so.{cuda}" for name in ("cudart", "cublas", "cublasLt"))
    return (*names, *OWN_NUMBERS.get(cuda, ()), f"libcudnn.so.{cudnn}")


def major(version: str) -> int:
    """The first number of a version."""
    return int(version.partition(".")[0])


def faults_of_used(
    cards: Sequence[Card], version: str, build: Mapping[str, Any], driver: Driver
) -> list[str]:
    """What will go wrong on cards that TensorFlow offers, a sentence or two each.

    It offers cards without having tried whether the driver and its kernels run on them.

    Args:
        cards: the cards.
        version: TensorFlow's.
        build: what `tf.sysconfig.get_build_info` returns.
        driver: what the driver says.
    """
    age = fault_of_age(driver, build)
    if age:
        return [f"TensorFlow {version} will fail on {names(cards)}: {age}"]
    faults = {names([card]): fault_of_kernels(card, version, build) for card in cards}
    return [f"TensorFlow {version} on {name}: {fault}" for name, fault in faults.items() if fault]


def why_unused(
    card: Card,
    version: str,
    build: Mapping[str, Any],
    driver: Driver,
    missing: Sequence[str] = (),
    silence: str | None = None,
    setting: str | None = None,
    is_beside_used: bool = False,
) -> str:
    """Why TensorFlow does not use a card that is there, and what to do.

    Args:
        card: the card.
        version: TensorFlow's.
        build: what `tf.sysconfig.get_build_info` returns.
        driver: what the driver says.
        missing: the libraries of CUDA that are not found.
        silence: what nvidia-smi says instead of listing cards; None if it lists them.
        setting: the value of CUDA_VISIBLE_DEVICES.
        is_beside_used: whether TensorFlow uses another card.
    """
    if not build.get("is_cuda_build"):
        return build_without_cuda(version, sys.platform, platform.machine())
    fault = fault_of_driver(driver, build, silence, setting)
    if fault:
        return fault
    if missing:
        which = f"{', '.join(missing)} of CUDA {'is' if len(missing) == 1 else 'are'} not found."
        return f"{which} To install all that is needed: {install_command(version)}"
    has = card.capability
    if has and not has_kernels(has, built_for(build)) and not can_compile(has, built_for(build)):
        remedy = kernels_elsewhere(has, version) or f"{NOWHERE}."
        return f"TensorFlow has no kernels for compute capability {_dotted(has)}. {remedy}"
    if is_beside_used:
        return (
            "TensorFlow leaves out a card with fewer than 8 multiprocessors beside a larger one. "
            "TF_MIN_GPU_MULTIPROCESSOR_COUNT=1 in the environment makes it take both."
        )
    return (
        "the reason is not known. TensorFlow's messages may tell it: TF_CPP_MIN_LOG_LEVEL=0 "
        """python -c "import tensorflow as tf; print(tf.config.list_physical_devices('GPU'))\""""
    )


def build_without_cuda(version: str, system: str, machine: str) -> str:
    """What to do where a build has no CUDA.

    Args:
        version: TensorFlow's.
        system: as in `sys.platform`.
        machine: as in `platform.machine()`.
    """
    if system == "win32":
        return "its builds for Windows have no CUDA. Install it in WSL2, the Linux of Windows."
    if (system, machine) == ("linux", "x86_64"):
        return (
            "this build has no CUDA. Install the one that has: "
            f"pip install 'tensorflow[and-cuda]=={version}'"
        )
    return f"its builds for {machine} have no CUDA. Use Linux on a machine with x86-64."


def fault_of_driver(
    driver: Driver, build: Mapping[str, Any], silence: str | None, setting: str | None
) -> str | None:
    """Why the driver offers no card to a build, and what to do; None if it could."""
    update = _update(major(build["cuda_version"]))
    if "libcuda.so.1" in driver.absent:
        return (
            f"libcuda.so.1 of NVIDIA's driver is not found. {update} A container needs "
            f"`--gpus all`; {VISIBLE}=-1 keeps this warning away."
        )
    if driver.absent:
        return (
            f"{', '.join(driver.absent)} of NVIDIA's driver is not found. {update} A container "
            "needs NVIDIA_DRIVER_CAPABILITIES=compute,utility."
        )
    if driver.code == NO_DEVICE and setting:
        return (
            f"{VISIBLE}={setting} names no card that is there. `nvidia-smi -L` lists them with "
            "their numbers."
        )
    if driver.code == NO_DEVICE and silence and "No devices" in silence:
        return (
            "it is closed to this process. Start a container with `--gpus all`; ask a batch "
            "system for a GPU, such as Slurm with `--gres=gpu:1`."
        )
    if driver.error:
        said = (silence or driver.error).rstrip(".")
        return (
            f"NVIDIA's driver does not run ({said}). Restart the machine. If that is no help: "
            f"{update}"
        )
    return fault_of_age(driver, build)


def fault_of_age(driver: Driver, build: Mapping[str, Any]) -> str | None:
    """Says so if the driver is too old for a build."""
    needed = major(build["cuda_version"])
    if driver.cuda is None or driver.cuda[0] >= needed:
        return None
    return (
        f"NVIDIA's driver runs CUDA {_dotted(driver.cuda)} at most, and TensorFlow needs "
        f"{needed}. {_update(needed)}"
    )


def _update(cuda: int) -> str:
    return f"Install NVIDIA's driver {FIRST_DRIVER.get(cuda, f'for CUDA {cuda}')} or a newer one."


def built_for(build: Mapping[str, Any]) -> tuple[str, ...]:
    """The compute capabilities that a build lists: entries such as `sm_60` and `compute_90`."""
    return tuple(build.get("cuda_compute_capabilities", ()))


def fault_of_kernels(card: Card, version: str, build: Mapping[str, Any]) -> str | None:
    """Says what a build that lacks kernels for a card does on it; None if it has them.

    Args:
        card: the card; its compute capability may be unknown, and then nothing is said.
        version: TensorFlow's.
        build: what `tf.sysconfig.get_build_info` returns.
    """
    entries = built_for(build)
    if card.capability is None or not entries or has_kernels(card.capability, entries):
        return None
    lack = f"TensorFlow has no kernels for compute capability {_dotted(card.capability)}"
    elsewhere = kernels_elsewhere(card.capability, version)
    remedy = elsewhere or f"{NOWHERE}; {VISIBLE}=-1 makes it compute on the CPU."
    if not can_compile(card.capability, entries):
        return f"{lack} and stops at the first one. {remedy}"
    # Of cards newer than every build, users report both: minutes, and CUDA_ERROR_INVALID_PTX.
    end = "half an hour" if elsewhere else "half an hour or fail"
    return f"{lack} and compiles them in the first steps, which can take {end}. {remedy}"


def kernels_elsewhere(capability: tuple[int, int], version: str) -> str | None:
    """The Python that takes another TensorFlow, which has kernels for a card; None if none does.

    Args:
        capability: the card's.
        version: the TensorFlow in use.
    """
    for python, (other, entries) in STACKS.items():
        if other != version and has_kernels(capability, entries):
            return f"{python} takes TensorFlow {other}, which has them."
    return None


def _dotted(pair: tuple[int, int]) -> str:
    return f"{pair[0]}.{pair[1]}"


def has_kernels(capability: tuple[int, int], entries: Iterable[str]) -> bool:
    """Whether a build's kernels run on a card: those of its major version, up to its minor.

    Args:
        capability: the card's.
        entries: what `built_for` returns.
    """
    return any(
        number == capability[0] and minor <= capability[1] for _, number, minor in _parsed(entries)
    )


def can_compile(capability: tuple[int, int], entries: Iterable[str]) -> bool:
    """Whether the driver can compile a build's kernels for a card: if it is not older than they.

    Args:
        capability: the card's.
        entries: what `built_for` returns.
    """
    return any(
        kind == "compute" and (number, minor) <= capability
        for kind, number, minor in _parsed(entries)
    )


def _parsed(entries: Iterable[str]) -> list[tuple[str, int, int]]:
    found = (re.fullmatch(r"(sm|compute)_(\d+)(\d)[af]?", entry) for entry in entries)
    return [(match[1], int(match[2]), int(match[3])) for match in found if match]


def install_command(version: str) -> str:
    """The command that installs the libraries of CUDA for the TensorFlow in use."""
    pip = f"{shlex.quote(sys.executable or 'python')} -m pip install"
    root = pathlib.Path(hmr_tf2.__file__).parents[1]
    if not (root / "setup.py").is_file():
        return f"{pip} 'hmr_tf2[gpu]'"
    pins = f"constraints/tensorflow-{'.'.join(version.split('.')[:2])}.txt"
    options = f" -c {pins}" if (root / pins).is_file() else ""
    return f"cd {shlex.quote(str(root))} && {pip}{options} -e '.[gpu]'"

"""Says which devices TensorFlow computes on, and which NVIDIA cards it cannot use and why."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from absl import logging

from hmr_tf2 import gpu_faults, nvidia
from hmr_tf2.gpu_faults import VISIBLE
from hmr_tf2.nvidia import Card, Driver
from tfrecords_tools.pool import available_cores


def log_devices(every_gpu: bool = False) -> None:
    """Logs which devices TensorFlow computes on, and warns of NVIDIA cards that it cannot use.

    It initialises no device: afterwards they can still be configured, and strategies be made.

    Args:
        every_gpu: whether the program uses all GPUs, as most strategies do, or the first alone.
    """
    try:
        line, warnings = report(every_gpu)
    except Exception as error:  # whatever cannot be found out must not end a run
        logging.warning("The devices are not known: %s: %s", type(error).__name__, error)
        return
    logging.info("%s", line)
    for warning in warnings:
        logging.warning("%s", warning)


def report(every_gpu: bool = False) -> tuple[str, list[str]]:
    """The line that `log_devices` logs, and its warnings.

    Args:
        every_gpu: whether the program uses all GPUs.
    """
    build = tf.sysconfig.get_build_info()
    found = [_card(device) for device in tf.config.list_physical_devices("GPU")]
    visible = [_card(device) for device in tf.config.get_visible_devices("GPU")]
    used = visible if every_gpu else visible[:1]
    setting = os.environ.get(VISIBLE)
    hidden, warnings = None, []
    if used and build.get("is_cuda_build"):
        driver = nvidia.ask_driver(gpu_faults.driver_libraries(tf.__version__))
        warnings = gpu_faults.faults_of_used(used, tf.__version__, build, driver)
        used = [card._replace(gib=driver.memory.get(card.name)) for card in used]
    if found and not visible:
        hidden = f"tf.config.set_visible_devices hides {_number(len(found), 'GPU')}"
    elif not found and is_hidden(setting):
        known = nvidia.cards_on_the_bus()
        hidden = f"{VISIBLE}={setting} hides {nvidia.names(known)}" if known else None
    elif not (found and setting):  # which of its cards a user takes is no fault
        warnings += unused_cards(found, build, setting)
    return describe(tf.__version__, used, len(visible), available_cores(), hidden), warnings


def _card(device: tf.config.PhysicalDevice) -> Card:
    details = tf.config.experimental.get_device_details(device)
    return Card(details.get("device_name", "unnamed"), details.get("compute_capability"))


def is_hidden(setting: str | None) -> bool:
    """Whether a value of CUDA_VISIBLE_DEVICES hides all cards, as the empty one and -1 do.

    CUDA takes the cards before the first entry that is neither a number nor a card's name.
    """
    if setting is None:
        return False
    first = setting.partition(",")[0].strip()
    return not first.isdecimal() and not first.startswith(("GPU-", "MIG-"))


def describe(
    version: str, used: Sequence[Card], num_gpus: int, cores: int, hidden: str | None = None
) -> str:
    """The sentence that says which devices are computed on.

    Args:
        version: TensorFlow's.
        used: the GPUs that are used.
        num_gpus: the number of GPUs that could be.
        cores: the number of CPU cores.
        hidden: what hides others, if anything does.
    """
    if not used:
        rest = f"; {hidden}" if hidden else ""
        return f"TensorFlow {version} computes on the CPU, {_number(cores, 'core')}{rest}."
    gpus = _number(num_gpus, "GPU")
    if len(used) < num_gpus:
        gpus = f"{len(used)} of {gpus}"
    cpu = _number(cores, "CPU core")
    return f"TensorFlow {version} computes on {gpus} ({nvidia.names(used)}) and {cpu}."


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def unused_cards(
    found: Sequence[Card], build: Mapping[str, Any], setting: str | None
) -> list[str]:
    """Asks the machine for NVIDIA cards besides those that TensorFlow has found.

    Args:
        found: the GPUs that TensorFlow has found.
        build: what `tf.sysconfig.get_build_info` returns.
        setting: the value of CUDA_VISIBLE_DEVICES.

    Returns:
        A sentence or two for each reason why there are others.
    """
    known = nvidia.cards_on_the_bus()
    if len(known) <= len(found) and (found or not nvidia.nvidia_smi()):
        return []
    listed, silence = nvidia.ask_nvidia_smi()
    # Of several cards, a container may hold one, and only NVIDIA's program knows which.
    unused = _without(listed, found) if found else listed or known
    if not unused:
        return []
    driver, missing = Driver(), []
    if build.get("is_cuda_build"):
        driver = nvidia.ask_driver(gpu_faults.driver_libraries(tf.__version__))
        missing = nvidia.not_loadable(gpu_faults.cuda_libraries(build))
    reasons: dict[str, list[Card]] = {}
    for card in unused:
        reason = gpu_faults.why_unused(
            card, tf.__version__, build, driver, missing, silence, setting, bool(found)
        )
        reasons.setdefault(reason, []).append(card)
    return [
        f"TensorFlow {tf.__version__} does not use {nvidia.names(cards)}: {reason}"
        for reason, cards in reasons.items()
    ]


def _without(cards: Sequence[Card], used: Sequence[Card]) -> list[Card]:
    names, rest = [card.name for card in used], []
    for card in cards:
        if card.name in names:
            names.remove(card.name)
        else:
            rest.append(card)
    return rest

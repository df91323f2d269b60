"""What a machine tells of its NVIDIA cards and their driver, whether they work or not."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

VENDOR, DISPLAY = "0x10de", "0x03"  # NVIDIA's number on the PCI bus, and the class of its cards
NVIDIA_SMI = "nvidia-smi"
# Windows puts its driver there for the Linux beside it, where the folder need not be on the path.
WSL_DRIVER = "usr/lib/wsl/lib"
NO_DEVICE = 100  # the driver's error code where no card is open to a process
TIMEOUT = 5.0  # seconds; a driver that works answers in one or two


class Card(NamedTuple):
    """An NVIDIA card, or another GPU.

    Attributes:
        name: its name; empty if it is not known.
        capability: its compute capability, major and minor; None if it is not known.
        gib: its memory in GiB; None if it is not known.
    """

    name: str = ""
    capability: tuple[int, int] | None = None
    gib: float | None = None


class Driver(NamedTuple):
    """What NVIDIA's driver says of itself.

    Attributes:
        absent: names of its libraries that are not found.
        error: why it does not start; None if it does.
        code: the number of that error.
        cuda: the newest CUDA that it can run, major and minor; None if it does not start.
        memory: the memory of each card that it offers to this process, in GiB, by its name.
    """

    absent: tuple[str, ...] = ()
    error: str | None = None
    code: int = 0
    cuda: tuple[int, int] | None = None
    memory: Mapping[str, float] = {}


def names(cards: Sequence[Card]) -> str:
    """The cards in words, each kind once: `2 x NVIDIA H100 PCIe, 80 GiB each`."""
    kinds = []
    for card in dict.fromkeys(cards):
        count = list(cards).count(card)
        each = "" if count == 1 else " each"
        size = "" if card.gib is None else f", {card.gib:.0f} GiB{each}"
        if not card.name:
            kinds.append("an NVIDIA card" if count == 1 else f"{count} NVIDIA cards")
        else:
            kinds.append(f"{'' if count == 1 else f'{count} x '}{card.name}{size}")
    return "; ".join(kinds)


def cards_on_the_bus(root: str | os.PathLike = "/") -> list[Card]:
    """The NVIDIA cards that Linux knows, whether or not it has a driver for them.

    Args:
        root: the folder below which `proc`, `dev`, `sys` and `usr` are.
    """
    root = pathlib.Path(root)
    entries = sorted(root.glob("proc/driver/nvidia/gpus/*/information"))
    if entries:
        return [Card(_model(path)) for path in entries]
    devices = list(root.glob("dev/nvidia[0-9]*")) or [
        path
        for path in root.glob("sys/bus/pci/devices/*")
        if _text(path / "vendor") == VENDOR and _text(path / "class").startswith(DISPLAY)
    ]
    if not devices and (root / WSL_DRIVER / "libcuda.so.1").exists():
        devices = [root / WSL_DRIVER]
    return [Card() for _ in devices]


def _model(path: pathlib.Path) -> str:
    fields = (line.partition(":") for line in _text(path).splitlines())
    return next((value.strip() for name, _, value in fields if name.strip() == "Model"), "")


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def nvidia_smi() -> str | None:
    """The path of NVIDIA's program that lists cards; None where there is none."""
    return shutil.which(NVIDIA_SMI) or shutil.which(NVIDIA_SMI, path=f"/{WSL_DRIVER}")


def ask_nvidia_smi() -> tuple[list[Card], str | None]:
    """The cards that `nvidia-smi` lists, and what it says if it fails or finds none."""
    program = nvidia_smi()
    if program is None:
        return [], None
    done, text = _output(program, "--query-gpu=name,compute_cap")
    if not done and "compute_cap" in text:  # drivers before 510 do not know this field
        done, text = _output(program, "--query-gpu=name")
    if not done:
        return [], next(filter(None, map(str.strip, text.splitlines())), "no message")
    return parse_cards(text), None


def parse_cards(text: str) -> list[Card]:
    """The cards in lines such as `NVIDIA H100 PCIe, 9.0`; what is no number is not known."""
    cards = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, capability = line.partition(",")
        major, _, minor = capability.strip().partition(".")
        known = major.isdecimal() and minor.isdecimal()
        cards.append(Card(name.strip(), (int(major), int(minor)) if known else None))
    return cards


def _output(program: str, query: str) -> tuple[bool, str]:
    """Whether the program ended well, and what it printed or why there is nothing."""
    try:
        process = subprocess.Popen(
            [program, query, "--format=csv,noheader"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        return False, str(error)
    try:
        text, _ = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        # Not even that ends a program inside a driver that hangs, and so nobody waits for it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        return False, f"no answer within {TIMEOUT:g} seconds"
    return process.returncode == 0, text or f"exit code {process.returncode}"


def ask_driver(libraries: Iterable[str]) -> Driver:
    """Starts the driver, as TensorFlow does when it lists its devices; takes no memory of a card.

    Args:
        libraries: the names of its libraries that are needed, `libcuda.so.1` among them.
    """
    absent = not_loadable(libraries)
    if absent:
        return Driver(tuple(absent))
    cuda = ctypes.CDLL("libcuda.so.1")
    code = cuda.cuInit(0)
    if code:
        return Driver(error=_error_text(cuda, code), code=code)
    version = ctypes.c_int()
    cuda.cuDriverGetVersion(ctypes.byref(version))
    major, minor = divmod(version.value, 1000)
    return Driver(cuda=(major, minor // 10), memory=_memory(cuda))


def not_loadable(libraries: Iterable[str]) -> list[str]:
    """Those of the shared libraries that are neither loaded yet nor found by the loader.

    What TensorFlow has loaded from the packages beside it counts as loaded.
    """
    missing = []
    for name in libraries:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    return missing


def _error_text(cuda: ctypes.CDLL, code: int) -> str:
    text = ctypes.c_char_p()
    cuda.cuGetErrorString(code, ctypes.byref(text))
    return f"{(text.value or b'error').decode(errors='replace')}, code {code}"


def _memory(cuda: ctypes.CDLL) -> dict[str, float]:
    count, device, size = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(256)
    cuda.cuDeviceGetCount(ctypes.byref(count))
    memory = {}
    for number in range(count.value):
        cuda.cuDeviceGet(ctypes.byref(device), number)
        cuda.cuDeviceGetName(name, len(name), device)
        cuda.cuDeviceTotalMem_v2(ctypes.byref(size), device)
        memory[name.value.decode(errors="replace")] = size.value / 2**30
    return memory

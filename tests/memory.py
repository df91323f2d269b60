"""Memory of the test processes: how much they took at most, and how it is given back."""

import ctypes
import gc
import sys

from hmr_tf2.training import vitals

# Peaks of the processes that have ended, GiB.
OF_WORKERS: list[float] = []
# What this process held when it had last given back all it could, GiB.
kept_gib = 0.0


def give_back() -> None:
    """Drops what only cycles hold, as models and their functions, and what the allocator keeps."""
    gc.collect()
    if sys.platform.startswith("linux"):
        # glibc keeps freed memory for later; threads that have ended keep theirs for ever.
        ctypes.CDLL(None).malloc_trim(0)
    global kept_gib
    kept_gib = held_gib()


def held_gib() -> float:
    """What this process holds in RAM now; 0 where the system does not tell."""
    return (vitals.resident_bytes() or 0) / 2**30


def peak_gib() -> float:
    """The most that this process ever held in RAM; 0 where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return 0.0
    import resource  # only Unix has it

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

"""numba's compiler with its cache where there is a place for one."""

import numba


def compiled(function):
    """`numba.njit(function)`, cached on disk unless no folder for a cache can be written."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: "no locator available", for read-only installs without a home
        return numba.njit(nogil=True)(function)

"""Compiles functions with numba, and caches the result on disk where that is possible."""

import functools

import numba


def compiled(function=None, *, error_model: str = "python"):
    """`numba.njit(function)`, cached on disk unless there is no writable folder for the cache.

    Args:
        function: the function to compile; `@compiled` and `@compiled(error_model=...)` both work.
        error_model: with `numpy`, a division by zero gives inf or NaN instead of raising, so that
            loops with divisions can become vector instructions.
    """
    if function is None:
        return functools.partial(compiled, error_model=error_model)
    compile_it = functools.partial(numba.njit, nogil=True, error_model=error_model)
    try:
        return compile_it(cache=True)(function)
    except RuntimeError:  # numba: "no locator available", for read-only installs without a home
        return compile_it()(function)

"""numba's compiler with its cache where there is a place for one."""

import functools

import numba


def compiled(function=None, *, error_model: str = "python"):
    """`numba.njit(function)`, cached on disk unless no folder for a cache can be written.

    Args:
        function: to compile; `@compiled` and `@compiled(error_model=...)` both do.
        error_model: `numpy` lets a division by zero be inf or NaN, so that loops with divisions
            become vector instructions.
    """
    if function is None:
        return functools.partial(compiled, error_model=error_model)
    compile_it = functools.partial(numba.njit, nogil=True, error_model=error_model)
    try:
        return compile_it(cache=True)(function)
    except RuntimeError:  # numba: "no locator available", for read-only installs without a home
        return compile_it()(function)

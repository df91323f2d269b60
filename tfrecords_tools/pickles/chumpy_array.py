"""Stands in for the chumpy arrays that SMPL files hold, so that chumpy need not be installed."""

from typing import Any

import numpy as np
import numpy.typing as npt

_MAX_DEPTH = 8


class ChumpyArray:
    """Stands in for a chumpy object; `numpy.asarray` gives its value.

    A `Ch` stores its value (attribute `x`), a `Select` picks its value from another array, and
    `Reshape` and `transpose` arrange another's anew. Every other class of chumpy computes its
    value with chumpy's code, so it has none here.
    """

    def __init__(self, name: str):
        self.name = name
        self.state: dict[Any, Any] = {}  # until the pickle gives one

    def set_state(self, state: object) -> None:
        if not isinstance(state, dict):
            raise ValueError(
                f"the state of `{self.name}` is of type {type(state).__name__}, expected a dict"
            )
        self.state = state

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> np.ndarray:
        return np.asarray(self.value(), dtype)

    def value(self, depth: int = 0) -> np.ndarray:
        """The array it holds; `depth` counts the stand-ins inside stand-ins on the way to it."""
        if depth > _MAX_DEPTH:
            raise ValueError(f"`{self.name}` contains itself")
        kind = self.name.rpartition(".")[2]
        if kind == "Ch" and "x" in self.state:
            return self._numbers("x", depth)
        if kind == "Select" and {"a", "idxs"} <= set(self.state):
            values, chosen = self._numbers("a", depth).ravel(), self._numbers("idxs", depth)
            shape = self.state.get("preferred_shape")
            try:
                selected = values[chosen.astype(np.int64)]
                return selected if shape is None else selected.reshape(shape)
            except (IndexError, TypeError) as error:
                raise ValueError(
                    f"`{self.name}` selects elements that do not exist: {error}"
                ) from error
        if kind in ("Reshape", "transpose") and "a" in self.state:
            values = self._numbers("a", depth)
            try:
                if kind == "Reshape":
                    return values.reshape(self.state["newshape"])
                return values.transpose(self.state.get("axes"))
            except (TypeError, KeyError, OverflowError) as error:
                raise ValueError(f"`{self.name}` has an impossible shape: {error}") from error
        raise ValueError(
            f"`{self.name}` holds no array of its own (its attributes: "
            f"{', '.join(sorted(map(str, self.state))[:10])}); only `chumpy.ch.Ch` and `Select`, "
            "`Reshape` and `transpose` of `chumpy.reordering` can be read without chumpy."
        )

    def _numbers(self, key: str, depth: int) -> np.ndarray:
        value = self.state[key]
        array = value.value(depth + 1) if isinstance(value, ChumpyArray) else value
        if isinstance(array, (int, float, np.generic)):
            array = np.asarray(array)
        # Nested lists of numbers are no array: they could be shared, and become one without end.
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biufc":
            raise ValueError(
                f"attribute {key!r} of `{self.name}` is of type {type(value).__name__}, expected "
                "numbers"
            )
        return array

    def __repr__(self) -> str:
        return f"<{self.name} read without chumpy>"

"""Which tensor is not finite, and which operation made it so: TensorFlow's own numeric checks."""

import contextlib
import dataclasses
import os
import pathlib
import re
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
import tensorflow as tf

import hmr_tf2
from hmr_tf2.trained_model import TrainedModel

T = TypeVar("T")

_HERE = pathlib.Path(__file__)
_PACKAGE = pathlib.Path(hmr_tf2.__file__).parent
_LIBRARIES = [pathlib.Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]

# What `tf.debugging.enable_check_numerics` writes of an operation that runs eagerly. In TensorFlow
# 2.15 there is no other way to learn these than to read them there.
_HEAD = re.compile(r'in output (\d+) of \S+ op "([^"]+)" \(# of outputs: (\d+)\)')
_DTYPE = re.compile(r"^ *dtype: <dtype: '(\w+)'>", re.MULTILINE)
_SHAPE = re.compile(r"^ *shape: \(([\d, ]*)\)", re.MULTILINE)
_COUNT = r"# of {} elements: (\d+)"
_INPUTS = re.compile(r"^ *Input tensor(.*?)^ : Tensor had", re.MULTILINE | re.DOTALL)
_INPUT = re.compile(r"tf\.Tensor\(.*?shape=\(([\d, ]*)\), dtype=(\w+)\)", re.DOTALL)
# Keras adds which of its layers ran.
_LAYER = re.compile(r"when calling layer ['\"](.+?)['\"] \(type (\w+)\)")
# `tf.gradients` names what it makes by the operation whose gradient it is.
_GRADIENT_OF = re.compile(r"gradients(?:_\d+)?/(.+)_grad/")


class Counts(NamedTuple):
    """How many elements of a tensor are NaN, +Inf and -Inf."""

    nan: int
    plus_inf: int
    minus_inf: int

    def __str__(self) -> str:
        named = zip(self, ("NaN", "+Inf", "-Inf"), strict=True)
        return ", ".join(f"{count} {name}" for count, name in named if count)


@dataclasses.dataclass(frozen=True)
class Broken:
    """A tensor that is not finite.

    Attributes:
        name: of the array or variable.
        dtype: of its elements.
        shape: of the tensor.
        counts: of what is not finite.
        rows: along the first axis, those that are not finite.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    counts: Counts
    rows: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Fault:
    """The first operation whose output is not finite.

    Attributes:
        op: its type, such as `Square`.
        output: which of its outputs, counted from 0.
        num_outputs: how many it has.
        dtype: of the output.
        shape: of the output.
        counts: of what is not finite in it.
        inputs: dtype and shape of each input.
        layer: the Keras layer that ran, and its class; none where it is not known.
        frames: the calls that led there, of our own code only, the innermost last.
        name: of the operation in the graph of the step; none where it was not found.
        gradient_of: in the backward pass, the type of the operation whose gradient it belongs to;
            `frames` are then those of that operation. None where it is not known.
    """

    op: str
    output: int
    num_outputs: int
    dtype: str
    shape: tuple[int, ...]
    counts: Counts
    inputs: tuple[str, ...]
    layer: str | None
    frames: tuple[traceback.FrameSummary, ...]
    name: str | None = None
    gradient_of: str | None = None


def broken(named: Iterable[tuple[str, Any]]) -> list[Broken]:
    """Those of the named arrays, tensors and variables that are not finite, in their order."""
    found = []
    for name, value in named:
        tensor = tf.convert_to_tensor(value)
        if not tensor.dtype.is_floating or bool(tf.reduce_all(tf.math.is_finite(tensor))):
            continue
        values = tf.cast(tensor, tf.float64).numpy()
        shape = tuple(values.shape)
        by_row = values.reshape(len(values), -1) if values.ndim else values[np.newaxis, np.newaxis]
        rows = np.flatnonzero(~np.isfinite(by_row).all(axis=1)) if values.ndim else ()
        found.append(
            Broken(name, tensor.dtype.name, shape, counts_of(values), tuple(map(int, rows)))
        )
    return found


def counts_of(values: np.ndarray) -> Counts:
    """How many of the values are not finite, by kind."""
    return Counts(
        int(np.isnan(values).sum()), int(np.isposinf(values).sum()), int(np.isneginf(values).sum())
    )


def first_fault(function: Callable[[], T]) -> tuple[T | None, Fault | None]:
    """Calls `function` eagerly, under TensorFlow's numeric checks.

    One operation runs after the other, so that the first one that is told of is the first.

    Returns:
        What it returned, or else the operation that made something not finite.
    """
    try:
        with numeric_checks():
            return function(), None
    except tf.errors.InvalidArgumentError as error:
        fault = fault_of(error)
        if fault is None:
            raise
        return None, fault


@contextlib.contextmanager
def numeric_checks() -> Iterator[None]:
    """Inside, an operation that makes something not finite raises InvalidArgumentError."""
    eagerly = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    tf.debugging.enable_check_numerics()
    try:
        # The checks write the inputs of every operation into a message, also where all is well.
        with np.printoptions(threshold=0, edgeitems=1):
            yield
    finally:
        tf.debugging.disable_check_numerics()
        tf.config.run_functions_eagerly(eagerly)


def fault_of(error: tf.errors.InvalidArgumentError) -> Fault | None:
    """What the numeric checks told by an error; None if it was not they who raised it."""
    message = error.message
    head = _HEAD.search(message)
    if head is None:
        return None
    layer, dtype, shape = (kind.search(message) for kind in (_LAYER, _DTYPE, _SHAPE))
    inputs = _INPUTS.search(message)
    counts = (
        re.search(_COUNT.format(re.escape(name)), message) for name in ("+NaN", "+Inf", "-Inf")
    )
    return Fault(
        op=head[2],
        output=int(head[1]),
        num_outputs=int(head[3]),
        dtype=dtype[1] if dtype else "",
        shape=_sizes(shape[1]) if shape else (),
        counts=Counts(*(int(count[1]) if count else 0 for count in counts)),
        inputs=tuple(
            f"{kind} {list(_sizes(sizes))}"
            for sizes, kind in _INPUT.findall(inputs[1] if inputs else "")
        ),
        layer=f"{layer[1]} ({layer[2]})" if layer else None,
        frames=own_frames(traceback.extract_tb(error.__traceback__)),
    )


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(",") if size.strip())


def located(fault: Fault, model: TrainedModel, batch: Mapping[str, tf.Tensor]) -> Fault:
    """Adds what only a graph knows: the operation's name, and in the backward pass whose it is.

    The step's graph, in which operations have names, runs once more and tells of every output
    whether it is finite. Eagerly, a gradient does not know the line that it is the gradient of.
    """
    operation = _first_in_graph(fault, model, batch)
    if operation is None:
        return fault
    found = dataclasses.replace(fault, name=operation.name)
    forward = _GRADIENT_OF.match(operation.name)
    if forward is None:
        return found
    try:
        source = operation.graph.get_operation_by_name(forward[1])
    except KeyError:
        return found
    frames = own_frames(source.traceback) or fault.frames
    return dataclasses.replace(found, gradient_of=source.type, frames=frames)


def _first_in_graph(fault, model, batch) -> tf.Operation | None:
    """The first operation of the fault's type and shape that is not finite in the step's graph."""
    candidates = []

    @tf.function(autograph=False)
    def are_finite(batch):
        scaled = model.record_losses(batch).scaled
        for part, variables in model.parts().items():
            tf.gradients(scaled[part], variables)
        # In the order in which they were made, which is an order in which they may run.
        candidates.extend(
            operation
            for operation in next(iter(scaled.values())).graph.get_operations()
            if operation.type == fault.op
            and len(operation.outputs) > fault.output
            and operation.outputs[fault.output].shape.is_compatible_with(fault.shape)
        )
        outputs = [operation.outputs[fault.output] for operation in candidates]
        return [tf.reduce_all(tf.math.is_finite(output)) for output in outputs]

    finite = are_finite(dict(batch))
    return next(
        (operation for operation, good in zip(candidates, finite, strict=True) if not good), None
    )


def own_frames(frames: Iterable[traceback.FrameSummary]) -> tuple[traceback.FrameSummary, ...]:
    """The calls in a program's own code, not in Python's or a package's, from the step's on."""
    frames = list(frames)
    looking = [number for number, frame in enumerate(frames) if _is_looking(frame.filename)]
    return tuple(
        frame
        for frame in frames[looking[-1] + 1 if looking else 0 :]
        if _is_own(pathlib.Path(frame.filename))
    )


def _is_looking(filename: str) -> bool:
    """Whether this is code that looks for faults."""
    return pathlib.Path(filename) in (_HERE, _HERE.with_name("outcome.py"))


def _is_own(path: pathlib.Path) -> bool:
    if _PACKAGE in path.parents:  # which may be installed among the libraries itself
        return True
    return path.is_absolute() and not any(folder in path.parents for folder in _LIBRARIES)


def shown_path(filename: str | os.PathLike) -> str:
    """A path of our code from the folder that holds the package on; others as they are."""
    path = pathlib.Path(filename)
    root = _PACKAGE.parent
    return str(path.relative_to(root)) if root in path.parents else str(path)

"""What one step comes to: everything in it that is not finite, and the operation it began with."""

import dataclasses
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import tensorflow as tf

from hmr_tf2.trained_model import RecordedLosses, TrainedModel
from hmr_tf2.training import numerics
from hmr_tf2.training.numerics import Broken, Fault
from hmr_tf2.training.snapshots import averages_kept


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a step came to, in the order in which things are computed.

    Attributes:
        batch: arrays that are not finite.
        weights: those before the step that are not finite, and the optimisers' state.
        largest: the variable with the largest number in it before the step, and that number.
        fault: the first operation that made something not finite; none where none did, and where
            a weight already was not.
        phase: the pass in which `fault` ran: `forward` or `backward`.
        losses: by name.
        gradients: those that are not finite.
        updated: weights and averages that are not finite after the step.
    """

    batch: list[Broken]
    weights: list[Broken]
    largest: tuple[str, float]
    fault: Fault | None
    phase: str | None
    losses: dict[str, float]
    gradients: list[Broken]
    updated: list[Broken]

    @property
    def is_finite(self) -> bool:
        losses = all(map(math.isfinite, self.losses.values()))
        return losses and not (self.batch or self.weights or self.gradients or self.updated)


def outcome_of(model: TrainedModel, batch: Mapping, path: pathlib.Path) -> Outcome:
    """Runs the model's next step: as it is, and where that is not finite also with checks.

    Args:
        model: compiled; the step changes its weights.
        batch: arrays by name.
        path: the file they are from, for errors.

    Raises:
        ValueError: the batch does not fit the model.
    """
    state = _named_state(model)
    batch = {name: tf.convert_to_tensor(value) for name, value in batch.items()}
    broken_batch, weights = numerics.broken(batch.items()), numerics.broken(state)
    largest = _largest(state)
    with averages_kept(model):
        recorded = _record(model, batch, path)
        found = model.gradients_of(recorded)
        averages = numerics.broken((_name(v), v) for v in model.moving_averages())
    losses = {name: float(value) for name, value in recorded.logs.items()}
    gradients = _broken_gradients(model, found)
    fault = phase = None
    finite = all(map(math.isfinite, losses.values())) and not gradients and not averages
    if not finite and not weights:
        with averages_kept(model):
            fault, phase = _first_fault(model, batch)
    model.apply_gradients(found)
    updated = [] if weights else averages + numerics.broken(_named_state(model))
    return Outcome(broken_batch, weights, largest, fault, phase, losses, gradients, updated)


def _record(model: TrainedModel, batch: Mapping, path: pathlib.Path) -> RecordedLosses:
    """The forward pass, without checks.

    Raises:
        ValueError: the batch does not fit the model.
    """
    try:
        return model.record_losses(batch)
    except KeyError as error:
        if error.args[0] in batch:
            raise
        raise ValueError(lacks(path, error.args)) from error
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        reason = " ".join([line for line in str(error).splitlines() if line.strip()][:2])
        raise ValueError(f"{path} does not fit the model of this run: {reason}") from error


def _broken_gradients(model: TrainedModel, found: Mapping[str, Sequence]) -> list[Broken]:
    return numerics.broken(
        (_name(variable), gradient)
        for part, variables in model.parts().items()
        for variable, gradient in zip(variables, found[part], strict=True)
        if gradient is not None
    )


def _first_fault(model: TrainedModel, batch: Mapping) -> tuple[Fault | None, str | None]:
    """The first operation that makes something not finite, and the pass that it is in."""
    recorded, fault = numerics.first_fault(lambda: model.record_losses(batch))
    phase = "forward"
    if recorded is not None:
        fault = numerics.first_fault(lambda: model.gradients_of(recorded))[1]
        phase = "backward"
    return (numerics.located(fault, model, batch), phase) if fault else (None, None)


def _largest(named: Sequence[tuple[str, tf.Variable]]) -> tuple[str, float]:
    sizes = [
        (name, float(tf.reduce_max(tf.abs(variable))))
        for name, variable in named
        if variable.dtype.is_floating and not name.startswith("Adam of")
    ]
    # NaN is larger than nothing and smaller than nothing.
    return max(sizes, key=lambda item: math.inf if math.isnan(item[1]) else item[1])


def state_of(model: TrainedModel) -> list[tf.Variable]:
    """Everything that a step changes: weights and averages, and the optimisers' moments."""
    optimizers = model.optimizers().values()
    return [*model.variables, *(v for optimizer in optimizers for v in optimizer.variables())]


def _named_state(model: TrainedModel) -> list[tuple[str, tf.Variable]]:
    named = [(_name(variable), variable) for variable in model.variables]
    for part, optimizer in model.optimizers().items():
        named += [(f"Adam of {part}: {_name(v)}", v) for v in optimizer.variables()]
    return named


def _name(variable: tf.Variable) -> str:
    return variable.name.removesuffix(":0")


def lacks(path: pathlib.Path, names: Iterable[str]) -> str:
    """The message that a batch holds too few arrays."""
    return (
        f"{path} holds no {', '.join(map(repr, names))}, which this run's losses are computed "
        "from. Is it of another model's run, or of one with other settings?"
    )

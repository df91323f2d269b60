"""A replayed step in words: what was not finite first, and what that means."""

import math
from collections.abc import Iterator, Sequence

from hmr_tf2.training import numerics
from hmr_tf2.training.numerics import Broken, Fault
from hmr_tf2.training.outcome import Outcome
from hmr_tf2.training.replay import Replay

MOST_ROWS = 8
MOST_TENSORS = 5
MOST_CALLS = 3


def as_text(replay: Replay) -> str:
    """The report of a replay, lines of at most some 100 letters."""
    outcome = replay.outcome
    sections = [
        "\n".join(_heading(replay)),
        headline(replay),
        *("\n".join(lines) for lines in _details(replay)),
        "\n".join(_losses(replay)),
        _meaning(replay),
    ]
    if outcome.largest[0]:
        sections.insert(-1, f"Largest number in the weights: {_largest(outcome)}")
    return "\n\n".join(section for section in sections if section) + "\n"


def headline(replay: Replay) -> str:
    """One sentence: what is not finite first."""
    outcome, step = replay.outcome, replay.step
    if outcome.is_finite:
        return f"Everything is finite in step {step}: batch, weights, losses, gradients, update."
    if outcome.batch:
        first = outcome.batch[0]
        return f"The batch of step {step} is not finite: {_one(first)}{_rows(first.rows)}."
    if outcome.weights:
        return f"The weights are not finite before step {step}: {_one(outcome.weights[0])}."
    if outcome.fault:
        return (
            f"The first that is not finite in step {step} is in the {outcome.phase} pass: "
            f"{_operation(outcome.fault, outcome.phase)}."
        )
    if outcome.gradients:
        return f"A gradient is not finite in step {step}: {_one(outcome.gradients[0])}."
    if outcome.updated:
        return (
            f"A weight is not finite after the update of step {step}, whose losses and gradients "
            f"are finite: {_one(outcome.updated[0])}."
        )
    return f"A loss is not finite in step {step}: {next(_broken_losses(outcome))}."


def _heading(replay: Replay) -> Iterator[str]:
    yield f"Step {replay.failed.step}, with the batch {replay.failed.path}"
    yield f"Weights: {replay.weights_from}"
    if replay.step < replay.failed.step:
        yield (
            f"On the way there step {replay.step} was the first that is not finite: it is the one "
            "shown here."
        )
    yield from replay.notes


def _details(replay: Replay) -> Iterator[list[str]]:
    outcome = replay.outcome
    if outcome.batch:
        yield ["The batch:", *map(_line, outcome.batch[:MOST_TENSORS]), *_records(replay)]
    if outcome.weights:
        yield ["Weights before the step:", *_tensors(outcome.weights)]
    if outcome.fault:
        yield list(_fault(outcome.fault, outcome.phase))
    if outcome.gradients and not outcome.weights:
        yield ["Gradients that are not finite:", *_tensors(outcome.gradients)]
    if outcome.updated and not outcome.gradients:
        yield ["Weights after the update:", *_tensors(outcome.updated)]


def _records(replay: Replay) -> Iterator[str]:
    """The records of the rows that are not finite, of arrays with a row for each record."""
    rows = sorted(
        {
            row
            for tensor in replay.outcome.batch
            if tensor.shape and tensor.shape[0] == len(replay.records)
            for row in tensor.rows
        }
    )
    for row in rows[:MOST_ROWS]:
        yield f"  record of row {row}: {replay.records[row]}"


def _fault(fault: Fault, phase: str) -> Iterator[str]:
    output = f"output {fault.output + 1} of {fault.num_outputs}"
    yield "The operation:"
    yield f"  type      {fault.op}" + (f", named {fault.name}" if fault.name else "")
    yield f"  result    {fault.dtype} {list(fault.shape)}, {output}: {_counts(fault)}"
    if fault.inputs:
        yield f"  inputs    {', '.join(fault.inputs)}"
    if fault.layer:
        yield f"  layer     {fault.layer}"
    if fault.gradient_of:
        yield f"  it is in the gradient of {fault.gradient_of}, which was made in"
    for number, frame in enumerate(reversed(fault.frames[-MOST_CALLS:])):
        place = f"{numerics.shown_path(frame.filename)}:{frame.lineno}, in {frame.name}"
        yield f"  {'called by' if number else 'line     '} {place}"
        if frame.line:
            yield f"                {frame.line.strip()}"


def _losses(replay: Replay) -> Iterator[str]:
    noted = replay.failed.losses if replay.step == replay.failed.step else {}
    yield f"{'Losses':22}{'here':>14}" + (f"{'in the run':>14}" if noted else "")
    for name, value in replay.outcome.losses.items():
        beside = f"{noted[name]:14.6g}" if name in noted else ""
        yield f"  {name:20}{value:14.6g}{beside}"


def _meaning(replay: Replay) -> str:
    """What to make of it, and what to do next."""
    outcome = replay.outcome
    if outcome.is_finite:
        return _meaning_of_finite(replay)
    if outcome.batch:
        return (
            "The records, or what reads them, are at fault: python -m tfrecords_tools.verify "
            "tells whether they are whole. (If the model expects NaN where a label is missing, "
            "look at the operation instead.)"
        )
    if outcome.weights:
        return (
            "Every step from these weights is lost: replay the step that made them, or pass an "
            "older checkpoint as --load_path."
        )
    if outcome.fault is None and outcome.updated:
        return "The update overflowed: lower the learning rate."
    if outcome.phase == "backward":
        return (
            "The losses are finite and their derivative is not: an operation at a singular point "
            "(a root of 0, a division by 0), or numbers near the largest of their type."
        )
    return (
        "Batch and weights are finite, so this operation is where it begins: it overflowed or "
        "has no value there. If the largest number in the weights is far beyond the usual 1 to "
        "10, the steps before were too long: lower --e_lr or --d_lr, or use --clip_norm."
    )


def _meaning_of_finite(replay: Replay) -> str:
    noted = replay.failed.losses
    if noted and all(map(math.isfinite, noted.values())):
        return (
            "That is as it was in the run, which stopped because a loss had exploded: no "
            "operation is at fault. Lower the rates, or use --clip_norm."
        )
    if replay.weights_step != replay.step - 1:
        return "The run's step had other weights (see above), which is the likeliest reason."
    return (
        "In the run it was not, so something differed there: other records, the rounding of a "
        "compiled step or of another device (overflow is near where numbers are large: mixed "
        "precision), or a fault of the hardware."
    )


def _operation(fault: Fault, phase: str | None) -> str:
    what = f"{fault.op} gives {_counts(fault)}"
    if not fault.frames:
        return what
    place = f"{numerics.shown_path(fault.frames[-1].filename)}:{fault.frames[-1].lineno}"
    if phase == "backward" and fault.gradient_of:
        return f"{what}, in the gradient of {fault.gradient_of} ({place})"
    return f"{what} ({place})"


def _counts(fault: Fault) -> str:
    return f"{fault.counts} of {math.prod(fault.shape)}"


def _tensors(tensors: Sequence[Broken]) -> Iterator[str]:
    yield from map(_line, tensors[:MOST_TENSORS])
    if len(tensors) > MOST_TENSORS:
        yield f"  and {len(tensors) - MOST_TENSORS} more"


def _line(tensor: Broken) -> str:
    return f"  {tensor.name}, {tensor.dtype} {list(tensor.shape)}: {_one(tensor, name=False)}"


def _one(tensor: Broken, name: bool = True) -> str:
    counts = f"{tensor.counts} of {math.prod(tensor.shape)}"
    return f"{tensor.name} has {counts}" if name else counts


def _rows(rows: Sequence[int]) -> str:
    if not rows:
        return ""
    shown = ", ".join(map(str, rows[:MOST_ROWS])) + (", ..." if len(rows) > MOST_ROWS else "")
    return f", in row{'s' if len(rows) > 1 else ''} {shown}"


def _broken_losses(outcome: Outcome) -> Iterator[str]:
    for name, value in outcome.losses.items():
        if not math.isfinite(value):
            yield f"{name} is {value}"


def _largest(outcome: Outcome) -> str:
    name, value = outcome.largest
    return f"{value:.4g}, in {name}"

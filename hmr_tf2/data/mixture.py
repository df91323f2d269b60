"""Decides which source each example of a run comes from: a repeated pattern with given shares.

The source of example n, and how many of the examples before n came from it, are looked up in a
table as long as the pattern. So a run can start at any example without counting from the first.
"""

import dataclasses
import fractions
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

MAX_PATTERN = 100_000


@dataclasses.dataclass(frozen=True)
class Mixture:
    """A pattern of P slots over S sources.

    Attributes:
        source: int64 [P], the source of each slot.
        rank: int64 [P], number of earlier slots of the same source.
        count: int64 [S], number of slots of each source.
    """

    source: np.ndarray
    rank: np.ndarray
    count: np.ndarray

    def draws(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """For examples `numbers` [N]: the source [N], and which of its draws each is [N]."""
        slot = numbers % len(self.source)
        source = tf.gather(self.source, slot)
        turn = numbers // len(self.source)
        return source, turn * tf.gather(self.count, source) + tf.gather(self.rank, slot)


def mixture(weights: Sequence[fractions.Fraction | int]) -> Mixture:
    """The shortest pattern with shares proportional to `weights`, and each source evenly spread.

    Raises:
        ValueError: the shares need a pattern of more than `MAX_PATTERN` slots.
    """
    # Exact shares rather than random draws: the order is the same on every machine, and the table
    # gives a draw's number in its source, which random choices would have to count. Weights are
    # fractions, since 0.1 as a float has no short pattern.
    denominator = math.lcm(*(fractions.Fraction(weight).denominator for weight in weights))
    whole = [int(weight * denominator) for weight in weights]
    count = np.array([number // math.gcd(*whole) for number in whole])
    if count.sum() > MAX_PATTERN:
        raise ValueError(
            f"--dataset_weights give a pattern that repeats only after {count.sum()} examples "
            f"(at most {MAX_PATTERN} are supported): use rounder numbers."
        )
    source = np.repeat(np.arange(len(count)), count)
    # The k-th of a source's c slots belongs at (k + 1/2) / c of the pattern. Sorting by that place
    # spreads every source evenly; a stable sort breaks ties by the order of the sources.
    rank = np.concatenate([np.arange(c) for c in count])
    order = np.argsort((rank + 0.5) / count[source], kind="stable")
    return Mixture(source[order], rank[order], count)


def parse_weights(items: Sequence[str], datasets: Sequence[str]) -> dict[str, fractions.Fraction]:
    """Parses `("lsp:2", "coco:0.5")` to the weight of each data set, in the order of `datasets`.

    Raises:
        ValueError: a weight is negative or not a number, a data set has no weight or two or is
            not among `datasets`, or all weights are zero.
    """
    weights: dict[str, fractions.Fraction] = {}
    for item in items:
        name, _, text = item.partition(":")
        if name not in datasets:
            raise ValueError(
                f"--dataset_weights names {name!r}, which is not among --datasets "
                f"({','.join(datasets)})."
            )
        if name in weights:
            raise ValueError(f"--dataset_weights names {name!r} twice.")
        weights[name] = _weight(item, text)
    missing = [name for name in datasets if name not in weights]
    if missing:
        raise ValueError(
            f"--dataset_weights gives no weight to {', '.join(missing)}: each of --datasets "
            "needs one; 0 leaves a data set out."
        )
    if not any(weights.values()):
        raise ValueError("--dataset_weights are all 0: at least one must be above 0.")
    return {name: weights[name] for name in datasets}


def _weight(item, text):
    try:
        weight = fractions.Fraction(text)
    except (ValueError, ZeroDivisionError):
        weight = None
    if weight is None or weight < 0:
        raise ValueError(
            f"--dataset_weights accepts name:number pairs with numbers of at least 0, such as "
            f"lsp:2,coco:0.5; got {item!r}."
        )
    return weight

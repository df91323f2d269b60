"""The pattern keeps the shares, spreads each source, and needs no scan."""

import fractions

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.data.mixture import MAX_PATTERN, mixture, parse_weights

WEIGHTS = [[1], [1, 1], [2, 1], [1, 3, 7], [fractions.Fraction("0.3"), 1, 5], [1000, 1]]


def drawn(weights, count, start=0):
    source, draw = mixture(weights).draws(tf.range(start, start + count, dtype=tf.int64))
    return source.numpy(), draw.numpy()


@pytest.mark.parametrize("weights", WEIGHTS)
def test_each_source_is_drawn_in_its_own_order_without_gaps(weights):
    source, draw = drawn(weights, 5000)
    for number in range(len(weights)):
        own = draw[source == number]
        np.testing.assert_array_equal(own, np.arange(len(own)))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_every_stretch_keeps_the_shares(weights):
    """From the start and from anywhere, a source is ahead or behind by less than one a source."""
    source, _ = drawn(weights, 5000)
    for number, weight in enumerate(weights):
        ahead = np.cumsum(source == number) - np.arange(1, 5001) * float(weight / sum(weights))
        assert np.ptp(ahead) < len(weights) + 1


def test_two_equal_sources_take_turns():
    assert drawn([1, 1], 6)[0].tolist() == [0, 1, 0, 1, 0, 1]


def test_a_late_example_is_looked_up_like_an_early_one():
    start = 10**15 - 7
    source, draw = drawn([2, 3], 100, start)
    before = drawn([2, 3], 5)[0]
    np.testing.assert_array_equal(source, np.resize(np.roll(before, -(start % 5)), 100))
    own = draw[source == 1]
    np.testing.assert_array_equal(own, own[0] + np.arange(len(own)))
    assert abs(own[0] - start * 3 / 5) <= 1


def test_weights_too_fine_for_a_pattern_are_refused():
    with pytest.raises(ValueError, match=f"at most {MAX_PATTERN}"):
        mixture([1, fractions.Fraction("0.0000001")])


def test_weights_are_read_in_the_order_of_the_data_sets():
    weights = parse_weights(("coco:0.5", "lsp:2", "mpii:0"), ("lsp", "mpii", "coco"))
    assert list(weights.items()) == [("lsp", 2), ("mpii", 0), ("coco", fractions.Fraction(1, 2))]


@pytest.mark.parametrize(
    "items, message",
    [
        (("lsp:1", "lps:2"), "names 'lps', which is not among --datasets .lsp,coco."),
        (("lsp:1", "mpii:2", "coco:1"), "names 'mpii', which is not among --datasets"),
        (("lsp:1",), "gives no weight to coco: each of --datasets needs one"),
        (("lsp:1", "coco:1", "lsp:2"), "names 'lsp' twice"),
        (("lsp:0", "coco:0"), "are all 0"),
        (("lsp:-1", "coco:1"), "numbers of at least 0.*got 'lsp:-1'"),
        (("lsp:nan", "coco:1"), "got 'lsp:nan'"),
        (("lsp:inf", "coco:1"), "got 'lsp:inf'"),
        (("lsp:", "coco:1"), "got 'lsp:'"),
        (("lsp", "coco:1"), "got 'lsp'"),
        (("lsp:1/0", "coco:1"), "got 'lsp:1/0'"),
        (("lsp:much", "coco:1"), "got 'lsp:much'"),
    ],
)
def test_unusable_weights_are_named(items, message):
    with pytest.raises(ValueError, match=message):
        parse_weights(items, ("lsp", "coco"))

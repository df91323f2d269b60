"""The bar that stands in for TensorFlow Addons' beside that one, and by itself without it."""

import io

import pytest
from tqdm import tqdm

from hmr_tf2.training import epoch_bar


def shown_by(bar_class):
    """What a bar of this class leaves of two epochs of three steps, the refreshes aside."""

    class Bar(bar_class):
        def format_metrics(self, logs=None, factor=1):
            return f"step {self.steps_so_far}"

    stream = io.StringIO()
    bar = Bar(show_overall_progress=False, epoch_bar_format="{n_fmt}/{total_fmt} {desc}")
    bar.tqdm = lambda **options: tqdm(file=stream, **options)
    bar.set_params({"epochs": 2, "steps": 3})
    bar.on_train_begin()
    for epoch in range(2):
        bar.on_epoch_begin(epoch, {})
        for batch in range(3):
            bar.on_train_batch_end(batch, {"loss": 1.0})
        bar.on_epoch_end(epoch, {})
    bar.on_train_end({})
    return [line.split("\r")[-1].strip() for line in stream.getvalue().strip().split("\n")]


def test_each_epoch_leaves_a_full_bar(capsys):
    assert shown_by(epoch_bar.TQDMProgressBar) == ["3/3 step 3", "3/3 step 3"]
    assert capsys.readouterr().out.splitlines() == ["Epoch 1/2", "Epoch 2/2"]


def test_it_shows_what_the_bar_of_addons_shows(capsys):
    addons = pytest.importorskip("tensorflow_addons.callbacks", reason="Addons is not installed.")
    expected = shown_by(addons.TQDMProgressBar), capsys.readouterr().out
    assert (shown_by(epoch_bar.TQDMProgressBar), capsys.readouterr().out) == expected


def test_a_bar_over_epochs_is_refused():
    with pytest.raises(ValueError, match="show_overall_progress=False"):
        epoch_bar.TQDMProgressBar(show_overall_progress=True, epoch_bar_format="")

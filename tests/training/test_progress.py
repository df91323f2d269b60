"""Progress on a terminal and elsewhere."""

import io
import re
import types

import pytest

from hmr_tf2.training import history, progress


@pytest.fixture(scope="module")
def on_terminal(run_small, small_config, tmp_path_factory):
    """A run of two steps an execution, and what its bar wrote."""
    stream = io.StringIO()

    def bar(end_step, losses):
        shown = progress.ProgressBar(end_step, losses)
        tqdm = shown.tqdm
        shown.tqdm = lambda **kwargs: tqdm(file=stream, **kwargs)
        return shown

    run = run_small(small_config, tmp_path_factory.mktemp("bar"), 2, bar)
    return run, stream.getvalue()


def test_the_bar_shows_losses_speed_and_time_to_go(on_terminal):
    run, text = on_terminal
    last = text.strip().split("\n")[-1].split("\r")[-1]
    loss = re.escape(f"e_loss {run.logs[-1]['e_loss']:.4g}, e_loss_kp ")
    assert re.search(rf"100% \|[█#]+\| 2/2 \[[\d:]+<00:00\] {loss}\S+, d_loss \S+", last)
    assert re.search(r"images/s, run [\d:]+ to go", last)


def test_several_steps_an_execution_are_counted_as_such(on_terminal):
    run, text = on_terminal
    assert "1/2" not in text and "4/2" not in text
    scalars = history.read_scalars(run.folder)
    assert [step for step, _ in scalars["loss/e_loss"]] == [2, 4]
    assert scalars["speed/images_per_second"][-1][0] == 4
    assert [s for s, _ in history.read_pictures(run.folder)["vis_images/0"]] == [1, 3]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_only_a_terminal_gets_a_bar():
    assert isinstance(progress.progress(9, ("e_loss",), Terminal()), progress.ProgressBar)
    assert isinstance(progress.progress(9, ("e_loss",), io.StringIO()), progress.ProgressLines)


class Watch:
    now = 0.0

    def perf_counter(self):
        return self.now


def test_lines_come_once_a_minute_with_the_means_since_the_last(monkeypatch, caplog):
    """300 steps of one second each, the first of ten; two epochs of 150."""
    watch = Watch()
    monkeypatch.setattr(progress, "time", watch)
    steps = iter(range(1, 301))
    lines = progress.ProgressLines(end_step=300, shown=("e_loss", "e_loss_kp", "d_loss"))
    iterations = types.SimpleNamespace(numpy=lambda: done)
    lines.set_model(
        types.SimpleNamespace(
            optimizer=types.SimpleNamespace(iterations=iterations),
            config=types.SimpleNamespace(batch_size=8),
        )
    )
    lines.set_params({"steps": 150})
    with caplog.at_level("INFO", logger="absl"):
        for epoch in range(2):
            lines.on_epoch_begin(epoch)
            for batch in range(150):
                done = next(steps)
                watch.now += 10 if done == 1 else 1
                lines.on_train_batch_end(batch, {"e_loss": done, "d_loss": 0.5, "other": 1})
            lines.on_epoch_end(epoch)
    assert [record.getMessage() for record in caplog.records] == [
        "Epoch 1, step 1 of 300: e_loss 1, d_loss 0.5, the first step, compiled, took 10 s",
        "Epoch 1, step 61 of 300: e_loss 31.5, d_loss 0.5, 8 images/s, epoch 01:29 to go, "
        "run 03:59",
        "Epoch 1, step 121 of 300: e_loss 91.5, d_loss 0.5, 8 images/s, epoch 00:29 to go, "
        "run 02:59",
        "Epoch 1, step 150 of 300: e_loss 136, d_loss 0.5, 8 images/s, epoch 00:00 to go, "
        "run 02:30",
        "Epoch 2, step 210 of 300: e_loss 180.5, d_loss 0.5, 8 images/s, epoch 01:30 to go, "
        "run 01:30",
        "Epoch 2, step 270 of 300: e_loss 240.5, d_loss 0.5, 8 images/s, epoch 00:30 to go, "
        "run 00:30",
        "Epoch 2, step 300 of 300: e_loss 285.5, d_loss 0.5, 8 images/s, epoch 00:00 to go, "
        "run 00:00",
    ]

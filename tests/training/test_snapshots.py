"""Pictures and histograms of a step."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2 import losses
from hmr_tf2.hmr import tensorboard
from hmr_tf2.training import history, snapshots


def test_snapshots_stand_at_the_first_step_and_after_every_period(watched):
    drawn = history.read_pictures(watched.folder)
    assert sorted(drawn) == ["vis_images/0", "vis_images/1"]  # a batch of two has no six
    for found in drawn.values():
        assert [(step, picture.shape) for step, picture in found] == [
            (1, (448, 896, 3)),
            (3, (448, 896, 3)),
        ]


def test_a_picture_begins_with_the_input_itself(watched):
    (_, picture), _ = history.read_pictures(watched.folder)["vis_images/1"]
    image = watched.read_batch(0)["image"].numpy()[1]
    np.testing.assert_allclose(picture[224:, :224], (image + 1) * 127.5, atol=0.51)


def test_histograms_are_of_each_output_over_all_stages(watched):
    histograms = history.read_histograms(watched.folder)
    names = [
        "left_hip",
        "right_hip",
        "spine1",
        "left_knee",
        "right_knee",
        "spine2",
        "left_ankle",
        "right_ankle",
        "spine3",
        "left_foot",
        "right_foot",
        "neck",
        "left_collar",
        "right_collar",
        "head",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hand",
        "right_hand",
        "all_joints",
        "beta",
    ]
    assert list(histograms) == [f"d_out/{n}/{kind}" for kind in ("real", "fake") for n in names]
    for found in histograms.values():
        assert [step for step, _ in found] == [1, 3]
        assert all(buckets[:, 2].sum() == 2 * 3 for _, buckets in found)


@pytest.fixture(scope="module")
def next_step(watched):
    """What is shown of a step beside what the step itself says."""
    batch = watched.read_batch(4)
    before = [value.numpy() for value in watched.model.weights]
    with snapshots.averages_kept(watched.model):
        _, d_out = tensorboard.draw(watched.model, batch)
    after = [value.numpy() for value in watched.model.weights]
    with snapshots.averages_kept(watched.model):
        stages = watched.model.train_stages(batch["image"])
    logs = watched.model.train_on_batch(batch, return_dict=True)
    return before, after, batch, stages, d_out, logs


def test_a_snapshot_leaves_the_model_as_it_was(next_step):
    before, after, *_ = next_step
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_is_shown_is_the_pass_of_the_training_step(next_step):
    _, _, batch, stages, d_out, logs = next_step
    for stage, joints in enumerate(tf.split(stages.joints, 3)):
        shown = losses.keypoint_l1_loss(tf.cast(batch["label"], tf.float32), joints)
        # Eager and compiled kernels round differently.
        assert shown.numpy() == pytest.approx(logs[f"kp_loss_stage{stage}"], rel=1e-4)
    for kind, goal, loss in (("real", 1, "d_loss_real"), ("fake", 0, "d_loss_fake")):
        values = np.stack([v for tag, v in d_out.items() if tag.endswith(kind)], axis=1)
        assert ((values - goal) ** 2).sum(1).mean() == pytest.approx(logs[loss], rel=1e-4)


@pytest.mark.parametrize(
    "batch_size, rows", [(64, [0, 1, 2, 63, 62, 61]), (4, [0, 1, 2, 3]), (1, [0])]
)
def test_three_from_the_front_and_three_from_the_end_are_shown(batch_size, rows):
    assert tensorboard.shown_rows(batch_size) == rows


@pytest.fixture
def person(rng):
    """Arguments of draw_stages: a grey crop, two stages, a triangle as body."""
    label = np.concatenate([rng.uniform(60, 160, (19, 2)), np.ones((19, 1))], axis=1)
    triangle = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0, 0.5, 0]])
    return dict(
        crop=np.full((224, 224, 3), 128, np.uint8),
        label=label,
        joints=np.stack([label[:, :2] + 30, label[:, :2]]),
        vertices=np.stack([triangle] * 2),
        cams=np.array([[0.9, 0, 0]] * 2),
        faces=np.array([[0, 2, 1]]),
    )


def test_a_stage_that_meets_the_truth_looks_like_it(person):
    picture = tensorboard.draw_stages(**person)
    below_captions = slice(30, 224)
    truth, wrong, right = (picture[below_captions, start : start + 224] for start in (0, 224, 448))
    np.testing.assert_array_equal(truth, right)
    assert (truth != wrong).any()


def test_hidden_points_are_not_drawn_as_truth(person):
    person["label"][:, 2] = 0
    picture = tensorboard.draw_stages(**person)
    assert (picture[30:224, :224] == 128).all()


def test_a_body_that_is_not_finite_is_left_out(person):
    person["vertices"][1] = np.nan
    person["cams"][1] = np.nan
    picture = tensorboard.draw_stages(**person)
    assert (picture[254:, 448:] == 128).all()
    assert (picture[254:, 224:448] != 128).any()

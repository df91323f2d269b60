"""Training crops equal the original's; the parts of the augmentation behave as they say."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.data import augmentation, parsing, preprocess_example
from tfrecords_tools import records

NUM_GOLDEN = 26


# One graph for all examples with 3-D joints, one for those without, as training has them.
in_a_graph = tf.function(preprocess_example, autograph=False)


@pytest.mark.parametrize("number", range(NUM_GOLDEN))
@pytest.mark.parametrize("preprocess", [preprocess_example, in_a_graph])
def test_crop_equals_the_original(golden, number, preprocess):
    arrays, meta = golden("golden_input_s0.npz")
    assert len(meta) == NUM_GOLDEN
    draw = meta[number]
    got = preprocess(
        tf.constant(arrays[f"record{number}"].tobytes()),
        has_3d=draw["has_3d"],
        scale=tf.constant(draw["scale"]),
        translation=tf.constant(draw["trans"]),
        mirror=tf.constant(draw["mirror"]),
    )
    # The same float32 operations on the same pixels: equal to the last bit.
    np.testing.assert_array_equal(got["image"][::7, ::7], arrays[f"image{number}"])
    np.testing.assert_allclose(got["label"], arrays[f"label{number}"], atol=1e-6)
    assert set(got) == (
        {"image", "label", "label3d", "has3d"} if draw["has_3d"] else {"image", "label"}
    )
    if draw["has_3d"]:
        np.testing.assert_allclose(got["label3d"], arrays[f"label3d{number}"], atol=1e-6)
        assert got["has3d"].numpy().tolist() == [True, *arrays[f"has_smpl{number}"]]


def smpl_labelled(golden):
    arrays, _ = golden("golden_input_s0.npz")
    return arrays["smpl3d_record"].tobytes()


def test_smpl_labels_are_told_and_mirrored(golden):
    record = smpl_labelled(golden)
    plain, mirrored = (
        preprocess_example(record, has_3d=True, scale=1.0, translation=[0, 0], mirror=mirror)
        for mirror in (False, True)
    )
    assert plain["has3d"].numpy().tolist() == [True, True]
    # Reflection in x of the root's rotation: S R S with S = diag(-1, 1, 1).
    S = np.diag([-1.0, 1.0, 1.0])
    root, root_mirrored = (np.reshape(x["label3d"][:9], [3, 3]) for x in (plain, mirrored))
    np.testing.assert_allclose(root_mirrored, S @ root @ S, atol=1e-6)
    np.testing.assert_array_equal(plain["label3d"][216:226], mirrored["label3d"][216:226])


def test_mirroring_the_picture_mirrors_the_pixels(golden):
    arrays, meta = golden("golden_input_s0.npz")
    plain, mirrored = (
        preprocess_example(
            arrays["record0"].tobytes(),
            has_3d=False,
            scale=1.1,
            translation=[3, -4],
            mirror=mirror,
        )["image"]
        for mirror in (0, 1)
    )
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])


def test_mirroring_twice_is_the_identity(rng):
    keypoints = rng.uniform(0, 224, (19, 3)).astype(np.float32)
    pose = rng.normal(size=72).astype(np.float32)
    joints = rng.normal(size=(14, 3)).astype(np.float32)
    joints -= joints.mean(axis=0)
    twice = augmentation.mirror_keypoints(augmentation.mirror_keypoints(keypoints, 224), 224)
    np.testing.assert_allclose(twice, keypoints, atol=1e-4)
    np.testing.assert_array_equal(augmentation.mirror_pose(augmentation.mirror_pose(pose)), pose)
    twice = augmentation.mirror_joints_3d(augmentation.mirror_joints_3d(joints))
    np.testing.assert_allclose(twice, joints, atol=1e-6)


def test_KEEP_mirrored_3d_joints_are_centred_on_their_mean(rng):
    joints = rng.normal(size=(14, 3)).astype(np.float32) + 5.0
    np.testing.assert_allclose(
        tf.reduce_mean(augmentation.mirror_joints_3d(joints), axis=0), 0.0, atol=1e-6
    )


@pytest.mark.parametrize("size", [(31, 47), (60, 40), (224, 224)])
@pytest.mark.parametrize("scale", [0.8, 1.0, 1.21])
@pytest.mark.parametrize("start", [(-300, -20), (0, 0), (5, 400)])
def test_KEEP_legacy_resize_then_edge_pad_then_crop(rng, size, scale, start):
    """The crop computes only its own pixels; resizing and padding everything gives the same."""
    image = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
    new_size = augmentation.scaled_size(*map(tf.constant, size), scale)
    crop = augmentation.crop_scaled(
        tf.constant(image),
        tf.zeros([2], tf.int32),
        tf.constant(size),
        new_size,
        tf.constant(start),
        64,
        tf.constant(False),
    )
    resized = tf.compat.v1.image.resize_bilinear(
        tf.image.convert_image_dtype(image, tf.float32)[tf.newaxis], new_size
    )[0].numpy()
    padded = np.pad(resized, ((500, 500), (500, 500), (0, 0)), mode="edge")
    x, y = start[0] + 500, start[1] + 500
    np.testing.assert_array_equal(crop, (padded[y : y + 64, x : x + 64] - 0.5) * 2.0)


SAMPLINGS = {
    name: getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{name}")
    for name in ("411", "420", "422", "440", "444")
}


def jpeg(rng, sampling, progressive, restart):
    """A picture of noise, in which neighbours differ as much as they can."""
    height, width = rng.integers(40, 400, 2)
    picture = cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), (int(width), int(height)))
    picture = np.clip(picture + rng.normal(0, 40, picture.shape), 0, 255).astype(np.uint8)
    options = [
        cv2.IMWRITE_JPEG_PROGRESSIVE,
        progressive,
        cv2.IMWRITE_JPEG_RST_INTERVAL,
        restart,
        cv2.IMWRITE_JPEG_QUALITY,
        int(rng.integers(40, 98)),
    ]
    if sampling == "grey":
        picture = picture[..., 0]
    else:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[sampling]]
    return cv2.imencode(".jpg", picture, options)[1].tobytes()


@pytest.mark.parametrize("restart", [0, 3])
@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("sampling", ["grey", *SAMPLINGS])
def test_what_the_crop_needs_decodes_to_the_pixels_of_the_whole(
    rng, sampling, progressive, restart
):
    """Anywhere in the picture and over its borders, in every kind of JPEG there is."""
    for _ in range(4):
        encoded = jpeg(rng, sampling, progressive, restart)
        picture = tf.io.decode_jpeg(encoded, channels=3)
        size = tf.shape(picture)[:2]
        for _ in range(4):
            new_size = augmentation.scaled_size(size[0], size[1], rng.uniform(0.8, 1.23))
            start = tf.constant(rng.integers(-80, 300, 2), tf.int32)
            side, mirror = int(rng.integers(1, 150)), tf.constant(bool(rng.integers(2)))
            part = parsing._crop(tf.constant(encoded), new_size, start, side, mirror)
            whole = augmentation.crop_scaled(
                picture, tf.zeros([2], tf.int32), size, new_size, start, side, mirror
            )
            np.testing.assert_array_equal(part, whole)


def test_only_a_part_of_the_picture_is_decoded(rng, monkeypatch):
    encoded = tf.io.encode_jpeg(rng.integers(0, 255, (600, 500, 3), np.uint8))
    decode, windows = tf.io.decode_and_crop_jpeg, []
    monkeypatch.setattr(
        tf.io,
        "decode_and_crop_jpeg",
        lambda encoded, window, **options: (
            windows.append(window.numpy().tolist()) or decode(encoded, window, **options)
        ),
    )
    parsing._crop(encoded, tf.constant([600, 500]), tf.constant([100, 40]), 224, True)
    assert windows == [[40, 99, 224, 226]]


def test_invisible_points_become_zero(rng):
    keypoints = rng.uniform(0, 224, (19, 3)).astype(np.float32)
    keypoints[:, 2] = rng.random(19) > 0.5
    keypoints[0, 2] = 2.0  # COCO's "visible"
    label = augmentation.normalise_keypoints(keypoints, 224).numpy()
    hidden = keypoints[:, 2] == 0
    assert not label[hidden].any()
    assert set(label[~hidden][:, 2]) == {1.0}


@pytest.mark.parametrize(
    "change",
    [
        dict(height=0),
        dict(width=-5),
        dict(height=10**9),
        dict(center=(2**31 - 1, 0)),
        dict(center=(-(2**31), 2**40)),
        dict(height=7, width=9000),
    ],
)
def test_a_record_with_absurd_sizes_reads_nothing_outside_of_its_picture(rng, change):
    picture = rng.integers(0, 255, (60, 50, 3), np.uint8)
    features = dict(
        height=60,
        width=50,
        center=(25, 30),
        filename="x.jpg",
        encoded=tf.io.encode_jpeg(picture).numpy(),
        keypoints=np.zeros((14, 3)),
    )
    record = records.image_example(**features | change)
    image = preprocess_example(record, has_3d=False, scale=1.2, translation=[3, 4], mirror=True)[
        "image"
    ]
    assert np.abs(image).max() <= 1


def test_a_record_that_lacks_a_feature_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="image/center"):
        preprocess_example(
            tf.train.Example().SerializeToString(),
            has_3d=False,
            scale=1.0,
            translation=[0, 0],
            mirror=False,
        )


def test_a_record_without_face_points_has_them_invisible(golden):
    arrays, meta = golden("golden_input_s0.npz")
    record = arrays["record0"].tobytes()
    assert "image/face_pts" not in tf.train.Example.FromString(record).features.feature
    label = preprocess_example(record, has_3d=False, scale=1.0, translation=[0, 0], mirror=False)[
        "label"
    ]
    assert not label[records.NUM_JOINTS :].numpy().any()

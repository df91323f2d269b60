"""What the signatures answer: the demo's crops, zeros for a broken picture, clear refusals."""

import io
import struct
import zlib

import cv2
import exif_blocks
import numpy as np
import psutil
import pytest
import tensorflow as tf
from PIL import Image

from hmr_tf2 import crops, loading, pictures, serving
from hmr_tf2.serving import batches, cropping, decoding

WHOLE = tf.function(
    lambda picture: cropping.crop_whole_picture(picture, 224),
    input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)],
)
BOXED = tf.function(
    lambda picture, box: cropping.crop_box(picture, box, 224),
    input_signature=[tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([4], tf.float32)],
)
CROPS = tf.function(batches.crop_batch, input_signature=[tf.TensorSpec([None], tf.string)])
BOXED_CROPS = tf.function(
    batches.crop_batch,
    input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None, 4], tf.float32)],
)


def assert_same_crop(got, expected):
    np.testing.assert_array_equal(got.pixels, expected.pixels)
    np.testing.assert_allclose(got.scale, expected.scale, rtol=1e-15)
    np.testing.assert_allclose(got.start, expected.start, rtol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_crops_of_whole_pictures_equal_the_demos_pixel_for_pixel(seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        height, width = np.exp(rng.uniform(0, 7.2, 2)).astype(int)
        picture = rng.integers(0, 256, (height, width, 3), np.uint8)
        assert_same_crop(WHOLE(picture), crops.crop_whole_picture(picture))


@pytest.mark.parametrize("size", [(448, 448), (448, 336), (224, 224), (1, 1), (3, 2000)])
def test_crops_at_sizes_that_opencv_treats_apart_equal_the_demos(rng, size):
    picture = rng.integers(0, 256, (*size, 3), np.uint8)
    assert_same_crop(WHOLE(picture), crops.crop_whole_picture(picture))


@pytest.mark.parametrize("seed", range(10))
def test_crops_of_boxes_equal_the_demos_pixel_for_pixel_and_refuse_the_same_boxes(seed):
    rng = np.random.default_rng(100 + seed)
    for _ in range(15):
        height, width = np.exp(rng.uniform(0, 7.2, 2)).astype(int)
        picture = rng.integers(0, 256, (height, width, 3), np.uint8)
        corner = rng.uniform(-0.5, 1, 2) * [width, height]
        box = np.float32([*corner, *np.exp(rng.uniform(-1, 8, 2))])
        try:
            expected = crops.crop_box(picture, box)
        except ValueError:
            with pytest.raises(tf.errors.InvalidArgumentError, match="unusable box"):
                BOXED(picture, box)
        else:
            assert_same_crop(BOXED(picture, box), expected)


def test_a_part_of_a_huge_enlargement_equals_the_demos(rng):
    picture = rng.integers(0, 256, (700, 900, 3), np.uint8)
    box = np.float32([400, 300, 3, 4])
    assert 30 * 30 * 700 * 900 > crops.MAX_RESIZED_PX
    assert_same_crop(BOXED(picture, box), crops.crop_box(picture, box))


@pytest.mark.parametrize(
    "options",
    [
        {"subsampling": 0}, {"subsampling": 2, "progressive": True}, {"mode": "L"},
        {"mode": "CMYK"}, {"kind": "PNG"}, {"kind": "PNG", "mode": "RGBA"},
        {"kind": "PNG", "mode": "P"}, {"kind": "PNG", "mode": "1"},
    ],
    ids=str,
)  # fmt: skip
def test_files_decode_to_the_pixels_that_the_demo_sees(encoded, options):
    data = encoded(**options)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    difference = np.abs(decoding.decode_picture(tf.constant(data)) - expected)
    # Pillow and TensorFlow turn CMYK to RGB with other roundings.
    assert difference.max() <= (1 if options.get("mode") == "CMYK" else 0)


def test_16_bit_pngs_keep_their_upper_8_bits(rng):
    grey = rng.integers(0, 2**16, (40, 50), np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    got = decoding.decode_picture(tf.constant(buffer.getvalue()))
    np.testing.assert_array_equal(got, np.repeat((grey // 256)[..., np.newaxis], 3, 2))


@pytest.mark.parametrize("bits", [8, 9, 12, 14])
def test_pngs_of_16_bits_that_use_fewer_are_stretched_as_in_the_demo(rng, tmp_path, bits):
    grey = rng.integers(0, 2**bits, (40, 50), np.uint16)
    grey[0, 0] = 2**bits - 1
    for levels in (grey, np.stack([grey, grey // 2, grey // 3], axis=-1)):
        assert cv2.imwrite(str(tmp_path / "a.png"), levels)
        got = decoding.decode_picture(tf.constant((tmp_path / "a.png").read_bytes()))
        np.testing.assert_array_equal(got, pictures.read_picture(tmp_path / "a.png"))
        assert got.numpy().max() == 255


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_is_turned_as_its_exif_block_says_and_cropped_as_in_the_demo(
    encoded, tmp_path, kind, orientation
):
    block = exif_blocks.block(orientation, "<>"[orientation % 2])
    data = encoded(kind=kind, exif=b"Exif\0\0" + block)
    (tmp_path / "a").write_bytes(data)
    picture = pictures.read_picture(tmp_path / "a")
    assert picture.shape == ((130, 170, 3) if orientation < 5 else (170, 130, 3))
    np.testing.assert_array_equal(decoding.decode_picture(tf.constant(data)), picture)
    box = [30.0, 70.0, 60.0, 55.0]  # of the upright picture
    for got, expected in (
        (CROPS(tf.constant([data])), crops.crop_whole_picture(picture)),
        (BOXED_CROPS(tf.constant([data]), tf.constant([box])), crops.crop_box(picture, box)),
    ):
        assert got.valid.numpy().all()
        np.testing.assert_array_equal(got.pixels[0], expected.pixels)
        np.testing.assert_allclose(got.scale[0], expected.scale, rtol=1e-15)
        np.testing.assert_allclose(got.start[0], expected.start, rtol=1e-12)


def test_a_box_is_inside_or_outside_of_the_upright_picture(encoded):
    lying = encoded(exif=b"Exif\0\0" + exif_blocks.block(6))  # 170 x 130, upright 130 x 170
    boxes = tf.constant([[140.0, 10, 20, 20], [10, 140, 20, 20]])
    assert BOXED_CROPS(tf.constant([lying] * 2), boxes).valid.numpy().tolist() == [False, True]


def test_joints_of_a_phones_picture_are_pixels_of_the_upright_one(untrained, loaded, encoded):
    data = encoded(exif=b"Exif\0\0" + exif_blocks.block(6))
    picture = decoding.decode_picture(tf.constant(data)).numpy()
    out = loaded.signatures["serving_default"](image_bytes=tf.constant([data]))
    crop = crops.crop_whole_picture(picture)
    bodies = untrained.predict_on_batch(crop.image[np.newaxis])
    assert out["valid"].numpy().tolist() == [True]
    np.testing.assert_allclose(
        out["joints"], crop.to_picture(bodies["joints"]), rtol=1e-4, atol=1e-2
    )


def with_jpeg_size(data, height, width):
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def png_of_size(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return decoding.PNG_START + chunk


@pytest.fixture(scope="module")
def broken(encoded):
    """Files that are no usable picture, by what is wrong."""
    jpeg, png = encoded(), encoded(kind="PNG")
    return {
        "empty": b"", "text": b"hello", "half a JPEG": jpeg[: len(jpeg) // 2],
        "half a PNG": png[: len(png) // 2], "start of a JPEG": jpeg[:3],
        "start of a PNG": png[:8], "JPEG bomb": with_jpeg_size(jpeg, 60000, 60000),
        "PNG bomb": png_of_size(60000, 60000), "endless PNG": png_of_size(2**31 - 1, 2**31 - 1),
        "negative PNG": png_of_size(2**32 - 1, 2**32 - 1), "flat PNG": png_of_size(0, 5),
        "GIF": encoded(kind="GIF"), "BMP": encoded(kind="BMP"),
        "animated GIF": encoded(
            kind="GIF", save_all=True, append_images=[Image.new("RGB", (170, 130))]
        ),
    }  # fmt: skip


def test_a_broken_picture_is_a_row_of_zeros_among_good_ones(loaded, broken, encoded):
    function = loaded.signatures["serving_default"]
    alone = {key: value.numpy() for key, value in function(tf.constant([encoded()])).items()}
    files = [encoded(), *broken.values(), encoded()]
    out = {key: value.numpy() for key, value in function(tf.constant(files)).items()}
    assert out["valid"].tolist() == [True] + [False] * len(broken) + [True]
    assert not any(value[1:-1].any() for value in out.values())
    # Of theta, up to 100 radians before training: a batch of another size rounds in another order.
    np.testing.assert_allclose(out["theta"][[0, -1]], alone["theta"][[0, 0]], rtol=1e-4, atol=1e-3)


def test_bombs_take_no_memory(broken):
    bombs = [broken["JPEG bomb"], broken["PNG bomb"], broken["endless PNG"]] * 20
    CROPS(tf.constant(bombs[:3]))
    before = psutil.Process().memory_info().rss
    assert not CROPS(tf.constant(bombs)).valid.numpy().any()
    assert psutil.Process().memory_info().rss - before < 2**28  # one bomb is 10.8 GB


@pytest.mark.parametrize(
    "box",
    [
        [np.nan, 0, 5, 5], [0, 0, np.inf, 5], [0, 0, 0, 5], [0, 0, 5, -5], [0, 0, 0.1, 0.1],
        [170, 0, 5, 5], [0, 130, 5, 5], [-9, 0, 9, 5], [1e30, 1e30, 5, 5],
    ],
    ids=str,
)  # fmt: skip
def test_an_unusable_box_fails_its_row_only(encoded, box):
    boxes = tf.constant([box, [10, 10, 50, 60]], tf.float32)
    crops = BOXED_CROPS(tf.constant([encoded()] * 2), boxes)
    assert crops.valid.numpy().tolist() == [False, True]
    assert not crops.pixels[0].numpy().any() and crops.pixels[1].numpy().any()


@pytest.mark.parametrize("box", [[-500, -300, 3000, 2000], [0, 0, 1e20, 1e20], [169, 129, 1, 1]])
def test_a_box_that_reaches_into_the_picture_is_usable(loaded, encoded, box):
    out = loaded.signatures["predict_boxes"](
        image_bytes=tf.constant([encoded()]), boxes=tf.constant([box], tf.float32)
    )
    assert out["valid"].numpy().tolist() == [True]
    assert np.isfinite(out["joints"]).all()


def test_1000_mutated_jpegs_leave_their_neighbours_alone_and_memory_bounded(encoded):
    rng = np.random.default_rng(0)
    good = encoded()
    expected = CROPS(tf.constant([good])).pixels[0]
    memory = []
    for _ in range(50):
        files = [good]
        for _ in range(20):
            mutant = bytearray(good)
            for place in rng.integers(0, len(mutant), rng.integers(1, 20)):
                mutant[place] = rng.integers(256)
            files.append(
                bytes(mutant[: rng.integers(1, len(mutant) + 1)] if rng.random() < 0.3 else mutant)
            )
        crops = CROPS(tf.constant(files))
        assert crops.valid[0]
        np.testing.assert_array_equal(crops.pixels[0], expected)
        broken = ~crops.valid.numpy()
        assert not crops.pixels.numpy()[broken].any()
        memory.append(psutil.Process().memory_info().rss)
    assert max(memory) - memory[4] < 2**28


def test_joints_are_pixels_of_the_original_picture(untrained, loaded, encoded):
    data = encoded(kind="PNG", height=300, width=410)
    picture = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), 1), cv2.COLOR_BGR2RGB)
    box = [100.0, 40.0, 120.0, 200.0]
    for crop, out in (
        (crops.crop_whole_picture(picture),
         loaded.signatures["serving_default"](image_bytes=tf.constant([data]))),
        (crops.crop_box(picture, np.array(box)),
         loaded.signatures["predict_boxes"](
             image_bytes=tf.constant([data]), boxes=tf.constant([box]))),
    ):  # fmt: skip
        bodies = untrained.predict_on_batch(crop.image[np.newaxis])
        np.testing.assert_allclose(
            out["joints"], crop.to_picture(bodies["joints"]), rtol=1e-4, atol=1e-2
        )
        np.testing.assert_allclose(out["joints3d"], bodies["joints3d"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name, inputs", [
    ("serving_default", {"image_bytes": tf.zeros([0], tf.string)}),
    ("predict_boxes", {"image_bytes": tf.zeros([0], tf.string), "boxes": tf.zeros([0, 4])}),
    ("predict_crops", {"images": tf.zeros([0, 224, 224, 3])}),
])  # fmt: skip
def test_an_empty_batch_has_an_empty_answer(loaded, name, inputs):
    out = loaded.signatures[name](**inputs)
    assert {key: value.shape.as_list() for key, value in out.items()} == {
        "theta": [0, 85], "cams": [0, 3], "joints": [0, 19, 2], "joints3d": [0, 19, 3],
        "verts": [0, 6890, 3], "rotations": [0, 24, 3, 3], "valid": [0],
    }  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_mesh_has_a_row_of_the_models_faces_for_each_row_asked(untrained, loaded, count):
    out = loaded.signatures["mesh"](rows=tf.fill([count], np.nan))
    np.testing.assert_array_equal(out["faces"], np.stack([untrained.smpl.faces] * 3)[:count])
    assert out["img_size"].numpy().tolist() == [224] * count


def test_a_crop_that_is_not_finite_fails_its_row_only(loaded, rng):
    images = rng.uniform(-1, 1, (3, 224, 224, 3)).astype(np.float32)
    expected = loaded.signatures["predict_crops"](images=tf.constant(images))
    images[1, 5, 5, 0] = np.nan
    out = loaded.signatures["predict_crops"](images=tf.constant(images))
    assert out["valid"].numpy().tolist() == [True, False, True]
    for name, value in out.items():
        assert not value[1].numpy().any()
        np.testing.assert_allclose(
            value.numpy()[::2], expected[name].numpy()[::2], rtol=1e-4, atol=1e-4
        )


def test_boxes_must_be_as_many_as_pictures(loaded, encoded):
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many boxes as image_bytes"):
        loaded.signatures["predict_boxes"](
            image_bytes=tf.constant([encoded()]), boxes=tf.zeros([2, 4])
        )


@pytest.mark.slow
def test_without_vertices_answers_are_small_and_the_demo_still_has_a_mesh(
    untrained, loaded, load_export, tmp_path, rng
):
    folder = serving.export(untrained, tmp_path / "small", vertices=False)
    images = rng.uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)
    full = loaded.signatures["predict_crops"](images=tf.constant(images))
    out = load_export(folder)(images)
    assert load_export(folder, "mesh")(np.zeros(2, np.float32))["faces"].size == 0
    assert set(full) - set(out) == {"verts"}
    assert sum(value.nbytes for value in out.values()) < 2000
    drawn = loading.load_predictor(folder).predict_crops(images)
    np.testing.assert_allclose(drawn["verts"], full["verts"], rtol=1e-4, atol=1e-4)

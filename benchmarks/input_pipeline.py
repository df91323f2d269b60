"""Times the input pipeline beside the one that one would write first, in images per core-second.

python benchmarks/input_pipeline.py [--people=48] [--images=480] [--rounds=3]

The records show stand-in people, in the sizes in which the converters store the data sets, and in
those of whole frames. The naive pipeline reads the same records one after the other with
TFRecordDataset, decodes, resizes the whole picture, pads it and crops. Both make the same crops,
which is checked pixel by pixel. The two take turns, each from a new iterator to its last batch.
Images per second of processor time count what all threads do, and nothing that other programs do;
these are the images per second and core. Images per second of the clock are given for one and two
threads.
"""

import argparse
import dataclasses
import os
import pathlib
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf

from hmr_tf2.data import augmentation, parsing
from hmr_tf2.hmr.config import TrainConfig
from hmr_tf2.hmr.data import TrainingData, draw_augmentation
from hmr_tf2.standin import people
from tfrecords_tools import records

# Heights and widths, those in records and those of cameras.
SIZES = {
    "LSP 196x140": (196, 140),
    "3DHP, H3.6M 300x300": (300, 300),
    "COCO 400x400": (400, 400),
    "MPII 600x600": (600, 600),
    "frame 480x640": (480, 640),
    "frame 1000x1000": (1000, 1000),
}
PERSON_PX = 150
# The original pads by half the crop, the jitter and 50 pixels more.
PADDING_PX = 112 + 20 + 50
BATCH_SIZE = 16
TARGET = 2.0


def write_people(path: pathlib.Path, size: tuple[int, int], count: int) -> None:
    """Writes records of `count` people of about 150 px in pictures of `size`."""
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path)) as shard:
        for number in range(count):
            rng = np.random.default_rng(number)
            share = PERSON_PX / min(size)
            photo = people.random_photo(rng, size, height_share=(0.8 * share, share))
            person = photo.people[0]
            shard.write(
                records.image_example(
                    encoded=tf.io.encode_jpeg(photo.image).numpy(),
                    filename=f"{number}.jpg",
                    height=size[0],
                    width=size[1],
                    keypoints=np.column_stack([person.keypoints_px, person.visible]),
                    center=person.keypoints_px[:14].mean(axis=0),
                )
            )


def naive_preprocess(serialized, scale, translation, mirror) -> dict[str, tf.Tensor]:
    """`preprocess_example` step by step: the whole picture is decoded, resized and padded."""
    example = tf.io.parse_single_example(serialized, records.image_spec())
    picture = tf.io.decode_jpeg(example["image/encoded"], channels=3)
    picture = tf.image.convert_image_dtype(picture, tf.float32)
    size = tf.shape(picture)[:2]
    new_size = augmentation.scaled_size(size[0], size[1], scale)
    factor = tf.cast(new_size, tf.float32) / tf.cast(size, tf.float32)
    picture = tf.raw_ops.ResizeBilinear(images=picture[tf.newaxis], size=new_size)[0]
    center = tf.cast(example["image/center"], tf.int32) + translation
    center = tf.cast(tf.cast(center, tf.float32) * factor[::-1], tf.int32)

    def repeated(edge, axis):
        return tf.repeat(edge, PADDING_PX, axis)

    picture = tf.concat([repeated(picture[:1], 0), picture, repeated(picture[-1:], 0)], 0)
    picture = tf.concat([repeated(picture[:, :1], 1), picture, repeated(picture[:, -1:], 1)], 1)
    start = center - 112
    x, y = start[0] + PADDING_PX, start[1] + PADDING_PX
    picture = picture[y : y + 224, x : x + 224]

    body = tf.stack(
        [example["image/x"], example["image/y"], tf.cast(example["image/visibility"], tf.float32)]
    )
    face = tf.reshape(example["image/face_pts"], [3, records.NUM_FACE_POINTS])
    keypoints = tf.transpose(tf.concat([body, face], axis=1))
    xy = keypoints[:, :2] * factor[::-1] - tf.cast(start, tf.float32)
    keypoints = tf.concat([xy, keypoints[:, 2:]], axis=1)
    picture, keypoints = tf.cond(
        mirror,
        lambda: (picture[:, ::-1], augmentation.mirror_keypoints(keypoints, 224)),
        lambda: (picture, keypoints),
    )
    return {
        "image": tf.ensure_shape((picture - 0.5) * 2.0, [224, 224, 3]),
        "label": augmentation.normalise_keypoints(keypoints, 224),
    }


def naive_pipeline(config: TrainConfig, path: pathlib.Path) -> tf.data.Dataset:
    """Batches of the records in the order of the file, augmented by the same draws."""
    draws = (
        tf.data.Dataset.range(1 << 40).map(lambda step: draw_augmentation(config, step)).unbatch()
    )
    return (
        tf.data.Dataset.zip((tf.data.TFRecordDataset(str(path)).repeat(), draws))
        .map(lambda record, draw: naive_preprocess(record, *draw), tf.data.AUTOTUNE)
        .batch(config.batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def check_equal(config: TrainConfig, path: pathlib.Path) -> None:
    """Raises AssertionError if the two ways differ in a crop or label."""
    draws = draw_augmentation(config, tf.constant(0, tf.int64))
    for record, scale, translation, mirror in zip(
        tf.data.TFRecordDataset(str(path)), *draws, strict=False
    ):
        naive = naive_preprocess(record, scale, translation, mirror)
        ours = parsing.preprocess_example(
            record, has_3d=False, scale=scale, translation=translation, mirror=mirror
        )
        for name in naive:
            np.testing.assert_array_equal(naive[name], ours[name])


@dataclasses.dataclass
class Rate:
    """Images per second, by the clock and by the time of all processors."""

    clock: float
    processor: float


def rate(dataset: tf.data.Dataset, threads: int, images: int) -> Rate:
    """Draws `images` from a new iterator."""
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    batches = dataset.take(images // BATCH_SIZE).with_options(options)
    clock, processor = time.perf_counter(), time.process_time()
    count = sum(len(batch["label"]) for batch in batches)
    return Rate(count / (time.perf_counter() - clock), count / (time.process_time() - processor))


def compare(folder: pathlib.Path, name: str, size: tuple[int, int], args) -> float:
    """Prints a line for pictures of one size; returns the ratio between the two ways."""
    data_dir = folder / name.replace(" ", "_")
    path = data_dir / "lsp" / "train_000.tfrecord"
    write_people(path, size, args.people)
    config = TrainConfig(
        data_dir=str(data_dir),
        datasets=("lsp",),
        use_3d_label=False,
        encoder_only=True,
        batch_size=BATCH_SIZE,
    )
    check_equal(dataclasses.replace(config, batch_size=args.people), path)
    naive, ours = naive_pipeline(config, path), TrainingData(config).batches()
    rates: dict[tuple, list[Rate]] = {}
    for turn in range(args.rounds + 1):
        for threads in (1, 2):
            for way in (naive, ours):
                # The first turn builds what the others use.
                found = rate(way, threads, args.images if turn else BATCH_SIZE)
                rates.setdefault((way is ours, threads), []).append(found)

    def middle(of, threads, kind):
        return statistics.median(getattr(one, kind) for one in rates[of, threads][1:])

    ratio = statistics.median(
        ours.processor / naive.processor
        for naive, ours in zip(rates[False, 1][1:], rates[True, 1][1:], strict=True)
    )
    figures = [middle(of, 1, "processor") for of in (False, True)]
    clocks = [middle(of, threads, "clock") for threads in (1, 2) for of in (False, True)]
    print(
        f"{name:22}{figures[0]:10.0f}{figures[1]:9.0f}{ratio:8.2f}"
        + "".join(f"{clock:9.0f}" for clock in clocks),
        flush=True,
    )
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=48, help="Number of records per size.")
    parser.add_argument("--images", type=int, default=480, help="Number of images per round.")
    parser.add_argument("--rounds", type=int, default=3, help="Number of rounds.")
    args = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}; median of "
        f"{args.rounds} rounds of {args.images} images"
    )
    print(f"{'':22}{'per second and core':>27}{'1 thread':>18}{'2 threads':>18}")
    print(f"{'':22}{'naive':>10}{'ours':>9}{'ratio':>8}" + f"{'naive':>9}{'ours':>9}" * 2)
    with tempfile.TemporaryDirectory() as folder:
        ratios = [compare(pathlib.Path(folder), name, size, args) for name, size in SIZES.items()]
    print(f"Lowest ratio {min(ratios):.2f}; target {TARGET}. Every pixel equal.")


if __name__ == "__main__":
    main()

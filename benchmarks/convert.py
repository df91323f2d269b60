"""Times the conversion of frames with one and more workers, beside a straightforward loop.

python benchmarks/convert.py [--frames=96] [--workers=1,2] [--repeats=3]

The frames are made here: 2048 x 2048 JPEGs as in MPI-INF-3DHP, with a person of about 800 px.
The baseline is the program one would write first: a loop in one process that decodes a frame with
TensorFlow, does what the original does to it, resizes, crops, encodes and writes. Both write the
same records, which is checked. Starting the workers (they import TensorFlow) is timed separately,
because a conversion does it once. Each figure is the best of the repeats, which take turns. The
last line is what the machine itself gains from more processes: as many independent loops, each
over its share.
"""

import argparse
import functools
import os
import pathlib
import tempfile
import time

import cv2
import numpy as np

from tfrecords_tools import joints, records, writer
from tfrecords_tools.plan import Items, Plan, at_once
from tfrecords_tools.pool import Workers
from tfrecords_tools.readers import mpi_inf_3dhp
from tfrecords_tools.readers.mpi_inf_3dhp_frame import Frame

import tensorflow as tf  # isort: skip  # after the package that keeps its import quiet

SIDE_PX = 2048
PERSON_PX = 800
EXAMPLES_PER_SHARD = 500


def make_frames(folder: pathlib.Path, count: int) -> list[Frame]:
    """Writes pictures with as much detail as photographs, and makes the annotation of each."""
    rng = np.random.default_rng(0)
    smooth = cv2.resize(rng.integers(0, 256, (16, 16, 3), np.uint8), (SIDE_PX, SIDE_PX))
    frames = []
    for number in range(count):
        noise = rng.normal(0, 6, (SIDE_PX // 2, SIDE_PX // 2, 3)).astype(np.float32)
        picture = smooth + cv2.resize(noise, (SIDE_PX, SIDE_PX))
        path = folder / f"frame_{number:06d}.jpg"
        encoded = np.clip(picture, 0, 255).astype(np.uint8)
        cv2.imwrite(str(path), encoded, [cv2.IMWRITE_JPEG_QUALITY, 90])
        size = PERSON_PX / np.sqrt(2)
        keypoints = SIDE_PX / 2 + rng.uniform(-0.5, 0.5, (len(joints.LSP), 2)) * size
        keypoints[:2] = SIDE_PX / 2 + np.array([[-0.5, -0.5], [0.5, 0.5]]) * size
        points = rng.normal(0, 500, (len(joints.LSP), 3))
        frames.append(Frame(path.name, keypoints, points, np.array([1500.0, 1024.0, 1024.0])))
    return frames


def straightforward(folder: pathlib.Path, frames: list[Frame], out: pathlib.Path) -> None:
    """Converts one frame after the other."""
    with tf.io.TFRecordWriter(str(out)) as shard:
        for frame in frames:
            image = tf.io.decode_jpeg(tf.io.read_file(str(folder / frame.file)), channels=3)
            recoded = tf.io.encode_jpeg(image, format="rgb", quality=100)
            image = tf.io.decode_jpeg(recoded, channels=3).numpy()
            low, high = frame.keypoints_px.min(0), frame.keypoints_px.max(0)
            scale = 150.0 / np.linalg.norm(high - low)
            height, width = np.floor(np.array(image.shape[:2]) * scale).astype(int)
            factors = np.array([height / image.shape[0], width / image.shape[1]])
            resized = cv2.resize(image, (int(width), int(height)))
            center = np.round((low + high) / 2 * factors).astype(int)
            start = np.maximum(center - 150, 0)
            end = np.minimum(center + 150, [width, height])
            crop = resized[start[1] : end[1], start[0] : end[0]]
            keypoints = frame.keypoints_px * factors - start
            shard.write(
                records.image_3d_example(
                    encoded=tf.io.encode_jpeg(crop, format="rgb").numpy(),
                    filename=frame.file,
                    height=crop.shape[0],
                    width=crop.shape[1],
                    keypoints=np.column_stack([keypoints, np.ones(len(keypoints))]),
                    center=center - start,
                    joints_m=frame.joints_mm / 1000.0,
                    camera=[frame.camera[0] * scale, *(frame.camera[1:] * factors - start)],
                    scale_factors=factors,
                    crop_start=start,
                )
            )


def plan(folder: pathlib.Path, frames: list[Frame]) -> Plan:
    """The plan by which `convert_datasets` converts such frames."""
    return Plan(
        name="benchmark",
        schema="image_3d",
        shards="train_%04d.tfrecord",
        open_items=at_once(lambda: Items(frames)),
        read=functools.partial(mpi_inf_3dhp.read, folder),
        settings={},
        examples_per_shard=EXAMPLES_PER_SHARD,
    )


def started(count: int) -> tuple[Workers, float]:
    """Workers that have done something already, and the seconds that this took."""
    begin = time.perf_counter()
    workers = Workers(count)
    if count > 1:
        list(workers.map(_warm, range(4 * count), at_once=1))
    return workers, time.perf_counter() - begin


def _warm(_: int) -> None:
    tf.io.encode_jpeg(np.zeros((8, 8, 3), np.uint8))
    time.sleep(0.2)


def _own_loop(folder: pathlib.Path, frames: list[Frame]) -> None:
    straightforward(folder, frames, folder / f"own_{os.getpid()}.tfrecord")


def independent_loops(folder: pathlib.Path, frames: list[Frame], workers: Workers) -> None:
    """The straightforward loop in every worker at once, each over its share of the frames."""
    shares = [frames[first :: workers.count] for first in range(workers.count)]
    list(workers.map(functools.partial(_own_loop, folder), shares, at_once=1))


def seconds(function) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=96, help="Number of frames to convert.")
    parser.add_argument("--workers", default="1,2", help="Numbers of workers to compare.")
    parser.add_argument("--repeats", type=int, default=3, help="Number of repeats.")
    options = parser.parse_args()
    counts = [int(count) for count in options.workers.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        frames = make_frames(folder, options.frames)
        pools = {count: started(count) for count in counts}
        straightforward(folder, frames[:4], folder / "warm.tfrecord")
        best = dict.fromkeys(["loop", "loops", *counts], np.inf)
        for repeat in range(options.repeats):
            loop = seconds(lambda: straightforward(folder, frames, folder / "loop.tfrecord"))
            best["loop"] = min(best["loop"], loop)
            for count in counts:
                out = folder / f"out_{count}_{repeat}"
                run = functools.partial(writer.write, plan(folder, frames), out, pools[count][0])
                best[count] = min(best[count], seconds(run))
                made = (out / "train_0000.tfrecord").read_bytes()
                assert made == (folder / "loop.tfrecord").read_bytes(), "records differ"
            loops = functools.partial(independent_loops, folder, frames, pools[max(counts)][0])
            best["loops"] = min(best["loops"], seconds(loops))
        for workers, _ in pools.values():
            workers.__exit__()
    print(
        f"{options.frames} frames of {SIDE_PX} x {SIDE_PX}, {os.cpu_count()} cores, load average "
        f"{os.getloadavg()[0]:.1f}"
    )
    print(f"{'':22}{'images/s':>9}{'over the loop':>15}{'over 1 worker':>15}{'start':>8}")
    print(f"{'straightforward loop':22}{options.frames / best['loop']:9.1f}")
    for count in counts:
        print(
            f"{f'{count} workers':22}{options.frames / best[count]:9.1f}"
            f"{best['loop'] / best[count]:15.2f}{best[counts[0]] / best[count]:15.2f}"
            f"{pools[count][1]:7.1f}s"
        )
    print(
        f"{f'{max(counts)} independent loops':22}{options.frames / best['loops']:9.1f}"
        f"{best['loop'] / best['loops']:15.2f}"
    )


if __name__ == "__main__":
    main()

"""Times the whole training step beside the bare ResNet-50 forward and backward pass, in one run.

python benchmarks/train_step.py [--batch_sizes=8,32] [--rounds=10]

They alternate, so that other work on the machine affects all of them. So do the parts of the step
other than the ResNet, on their own: both Adam optimisers, and the body of all stages with its
gradient. The float32 matrix-multiply rate of the machine is measured in the same run; the
encoder's 7.09 GFLOP per picture forward, and twice that backward, are compared with it.
"""

import argparse
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf

from hmr_tf2 import HMR, HMRConfig
from hmr_tf2.standin import body

ENCODER_GFLOP = 7.09
FORWARD_AND_BACKWARD = 3
SQUARE = 2048
TARGET = 1.03


def batch_of(size: int, num_stage: int) -> dict[str, np.ndarray]:
    """Random values in the shapes of a training batch."""
    rng = np.random.default_rng(0)
    mocap = size * num_stage
    shapes = {
        "image": (size, 224, 224, 3),
        "label": (size, 19, 3),
        "label3d": (size, 268),
        "mocap_pose": (mocap, 72),
        "mocap_shape": (mocap, 10),
    }
    batch = {k: rng.uniform(-1, 1, shape).astype(np.float32) for k, shape in shapes.items()}
    batch["label"][..., 2] = 1.0
    batch["has3d"] = np.ones((size, 2), np.float32)
    return batch


def functions_of(model: HMR, size: int) -> dict:
    """The functions to time, by name, each for one batch."""
    batch = {k: tf.constant(v) for k, v in batch_of(size, model.config.num_stage).items()}
    gradients = [
        (optimizer, [(tf.random.normal(v.shape), v) for v in variables])
        for optimizer, variables in model._optimised()
    ]
    square = tf.random.uniform([SQUARE, SQUARE])

    def resnet():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model.encoder(batch["image"], training=True))
        found = tape.gradient(loss, model.encoder.trainable_variables)
        # Every gradient must be used, or the graph would leave it out.
        return tf.add_n([tf.reduce_max(g) for g in found])

    def posing():
        beta, theta = batch["mocap_shape"], batch["mocap_pose"]
        with tf.GradientTape() as tape:
            tape.watch((beta, theta))
            posed = model.smpl.pose(beta, theta)
            total = tf.reduce_sum(model.smpl.keypoints_of(posed)) + tf.reduce_sum(posed.Rs)
        return tf.add_n([tf.reduce_max(g) for g in tape.gradient(total, (beta, theta))])

    def adams():
        for optimizer, pairs in gradients:
            optimizer.apply_gradients(pairs)
        return tf.constant(0.0)

    functions = {
        "resnet": resnet,
        "step": lambda: model.train_step(batch)["e_loss"],
        "body": posing,
        "adams": adams,
        "multiply": lambda: tf.reduce_max(square @ square),
    }
    return {name: tf.function(f, autograph=False) for name, f in functions.items()}


def measure(functions: dict, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round; the first two do not count."""
    seconds = {name: [] for name in functions}
    for _ in range(rounds + 2):
        for name, function in functions.items():
            start = time.perf_counter()
            function().numpy()
            seconds[name].append(time.perf_counter() - start)
    return {name: times[2:] for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch_sizes", default="8,32", help="Batch sizes to time.")
    parser.add_argument("--rounds", type=int, default=10, help="Number of rounds per batch size.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = HMRConfig(smpl_model_path=body.write_model_files(folder), e_lr=1e-5, d_lr=1e-4)
        model = HMR(config)
    model.compile()
    model.build_optimizers()
    print(f"TensorFlow {tf.__version__}, medians of {args.rounds} rounds")
    for size in map(int, args.batch_sizes.split(",")):
        seconds = measure(functions_of(model, size), args.rounds)
        median = {name: statistics.median(times) for name, times in seconds.items()}
        ratio = statistics.median(
            step / bare for step, bare in zip(seconds["step"], seconds["resnet"], strict=True)
        )
        rate = 2 * SQUARE**3 / median["multiply"] / 1e9
        gflop = ENCODER_GFLOP * FORWARD_AND_BACKWARD * size
        print(f"batch {size}")
        for name, words in (("step", "whole training step"),
                            ("resnet", "ResNet-50 forward+backward")):  # fmt: skip
            print(f"  {words:27s}{size / median[name]:7.2f} images/s  {median[name]:.3f} s  "
                  f"{gflop / median[name] / rate:.1%} of {rate:.0f} GFLOP/s")  # fmt: skip
        print(f"  step / ResNet-50           {ratio:7.3f}  target {TARGET}")
        for name, words in (("adams", "both Adams alone"), ("body", "body alone")):
            print(f"  {words:27s}{1000 * median[name]:7.1f} ms  "
                  f"{median[name] / median['resnet']:.1%} of the ResNet")  # fmt: skip


if __name__ == "__main__":
    main()

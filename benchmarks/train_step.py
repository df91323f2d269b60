"""Times the whole training step beside the bare ResNet-50 forward and backward pass, in one run.

python benchmarks/train_step.py [--batch_size=8] [--rounds=10]

The two alternate, so that what else the machine does meets both. The float32 matrix-multiply rate
of the machine is measured in the same run; the encoder's 7.09 GFLOP a picture forward, and twice
that backward, are compared with it.
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


def batch_of(size: int, num_stage: int) -> dict[str, np.ndarray]:
    """Random values in the shapes of a training batch."""
    rng = np.random.default_rng(0)
    mocap = size * num_stage
    shapes = {
        "image": (size, 224, 224, 3), "label": (size, 19, 3), "label3d": (size, 268),
        "mocap_pose": (mocap, 72), "mocap_shape": (mocap, 10),
    }
    batch = {k: rng.uniform(-1, 1, shape).astype(np.float32) for k, shape in shapes.items()}
    batch["label"][..., 2] = 1.0
    batch["has3d"] = np.ones((size, 2), np.float32)
    return batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = HMRConfig(smpl_model_path=body.write_model_files(folder), e_lr=1e-5, d_lr=1e-4)
        model = HMR(config)
    model.compile()
    model.build_optimizers()
    batch = {k: tf.constant(v) for k, v in batch_of(args.batch_size, config.num_stage).items()}

    @tf.function
    def resnet():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model.encoder(batch["image"], training=True))
        gradients = tape.gradient(loss, model.encoder.trainable_variables)
        # Every gradient is needed, or the graph would leave it out.
        return tf.add_n([tf.reduce_max(g) for g in gradients])

    @tf.function
    def step():
        return model.train_step(batch)["e_loss"]

    square = tf.random.uniform([2048, 2048])

    @tf.function
    def multiply():
        return tf.reduce_max(square @ square)

    seconds = {resnet: [], step: [], multiply: []}
    for _ in range(args.rounds + 2):
        for function, times in seconds.items():
            start = time.perf_counter()
            function().numpy()
            times.append(time.perf_counter() - start)
    bare, whole, product = (statistics.median(times[2:]) for times in seconds.values())
    ratio = statistics.median(
        s / r for s, r in zip(seconds[step][2:], seconds[resnet][2:], strict=True)
    )
    rate = 2 * 2048**3 / product / 1e9
    gflop = ENCODER_GFLOP * FORWARD_AND_BACKWARD * args.batch_size
    print(f"TensorFlow {tf.__version__}, batch {args.batch_size}, median of {args.rounds} rounds")
    print(f"whole training step       {args.batch_size / whole:7.2f} images/s  {whole:.3f} s")
    print(f"ResNet-50 forward+backward {args.batch_size / bare:6.2f} images/s  {bare:.3f} s")
    print(f"step / ResNet-50          {ratio:7.3f}")
    print(f"matrix multiplication     {rate:7.1f} GFLOP/s")
    print(f"share of it, step         {gflop / whole / rate:7.1%}   ResNet-50 "
          f"{gflop / bare / rate:.1%}")


if __name__ == "__main__":
    main()

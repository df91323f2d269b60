"""Images per second of the Keras model, the plain export and the fast exports, in one run.

python benchmarks/inference.py [--load_path=RUN] [--batch_sizes=1,8,32] [--rounds=10]

They take turns, so that other work on the machine affects all of them; ratios are medians of the
ratios of each round. The float32 matrix-multiply rate is measured in the same run and compared
with the encoder's 7.09 GFLOP per picture. The exports are loaded from disk as a server would.

On stand-in people the joints of each export are compared with the Keras model's. Without
--load_path the weights are random, and the batch norms have the statistics of those people: that
is good for speeds, but says nothing about joints, which such weights scatter.
"""

import argparse
import pathlib
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf
import tf_keras as keras

from hmr_tf2 import HMR, HMRConfig, loading, serving
from hmr_tf2.serving.export_check import BFLOAT16_TOLERANCE, TOLERANCE
from hmr_tf2.serving.fast_encoder import fast_encoder
from hmr_tf2.standin import body, people

ENCODER_GFLOP = 7.09
NUM_PEOPLE = 64
SIDE = 2048
PLAIN = "Keras model"
PRODUCT = "matrix product"


def standin_crops(count: int) -> np.ndarray:
    """Stand-in people, float32 [count, 224, 224, 3] in [-1, 1]."""
    rng = np.random.default_rng(0)
    photos = [people.random_photo(rng, (224, 224)).image for _ in range(count)]
    return 2.0 * (np.stack(photos).astype(np.float32) / 255.0 - 0.5)


def calibrate(model: HMR, images: np.ndarray) -> None:
    """Sets the averages of the batch norms to the statistics of `images`."""
    norms = [la for la in model.encoder.layers if isinstance(la, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model.encoder(images, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def random_model(folder: str, images: np.ndarray) -> HMR:
    """The paper's network with random weights, calibrated on `images`."""
    model = HMR(HMRConfig(smpl_model_path=body.write_model_files(folder), encoder_only=True))
    calibrate(model, images)
    return model


def exports_of(model: HMR, folder: pathlib.Path) -> dict:
    """The plain and the fast exports, loaded, by name."""
    encoders = {
        "plain export": (None, TOLERANCE),
        "fast float32": (fast_encoder(model.encoder), TOLERANCE),
        "fast bfloat16": (fast_encoder(model.encoder, tf.bfloat16), BFLOAT16_TOLERANCE),
    }
    loaded = {}
    for name, (encoder, tolerance) in encoders.items():
        path = serving.export(
            model, folder / name.replace(" ", "_"), encoder=encoder, tolerance=tolerance
        )
        loaded[name] = tf.saved_model.load(str(path))
    return loaded


def timed(functions: dict, images: tf.Tensor, rounds: int) -> dict[str, list[float]]:
    """Seconds of each function in each round; the first two rounds do not count."""
    seconds = {name: [] for name in functions}
    for _ in range(rounds + 2):
        for name, function in functions.items():
            start = time.perf_counter()
            function(images)
            seconds[name].append(time.perf_counter() - start)
    return {name: times[2:] for name, times in seconds.items()}


def report(batch: int, seconds: dict[str, list[float]]) -> None:
    product = seconds.pop(PRODUCT)
    rate = 2 * SIDE**3 / statistics.median(product) / 1e9
    print(f"\nbatch {batch}; matrix product {rate:.0f} GFLOP/s")
    for name, times in seconds.items():
        pairs = list(zip(times, seconds[PLAIN], product, strict=True))
        speed = batch / statistics.median(times)
        faster = statistics.median(plain / own for own, plain, _ in pairs)
        share = statistics.median(
            ENCODER_GFLOP * batch / own / (2 * SIDE**3 / 1e9 / mm) for own, _, mm in pairs
        )
        print(
            f"{name:14} {speed:7.2f} images/s  {faster:5.2f} x Keras  "
            f"{ENCODER_GFLOP * speed:6.1f} GFLOP/s, {share:.0%} of that of the matrix product"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--load_path", help="Folder of a training run of the paper's network.")
    parser.add_argument("--batch_sizes", default="1,8,32", help="Batch sizes to time.")
    parser.add_argument("--rounds", type=int, default=10, help="Number of rounds per batch size.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        crops = standin_crops(NUM_PEOPLE)
        path = args.load_path
        model = loading.load_model(path) if path else random_model(folder, crops)
        loaded = exports_of(model, pathlib.Path(folder))
    plain = tf.function(model.call, autograph=False)
    product = tf.random.uniform([SIDE, SIDE])
    multiply = tf.function(lambda: tf.reduce_max(product @ product), autograph=False)

    def served(export):
        return lambda images: export.signatures["predict_crops"](images=images)["verts"].numpy()

    functions = {
        PLAIN: lambda images: plain(images)["verts"].numpy(),
        **{name: served(export) for name, export in loaded.items()},
        PRODUCT: lambda images: multiply().numpy(),
    }
    expected = plain(tf.constant(crops))["joints3d"].numpy()
    for name, export in loaded.items():
        got = export.signatures["predict_crops"](images=tf.constant(crops))["joints3d"].numpy()
        error = 1000 * np.linalg.norm(got - expected, axis=-1)
        print(f"{name:14} joints differ by {error.mean():.4f} mm, at most {error.max():.4f} mm")
    spread = 1000 * np.linalg.norm(expected - expected.mean(axis=0), axis=-1).mean()
    print(f"{'':14} joints lie {spread:.0f} mm from their mean over these people")
    for batch in map(int, args.batch_sizes.split(",")):
        images = tf.constant(np.resize(crops, (batch, *crops.shape[1:])))
        report(batch, timed(functions, images, args.rounds))


if __name__ == "__main__":
    main()

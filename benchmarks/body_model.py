"""Times the body model beside the original's formulation and smplfitter's, in one run.

    python benchmarks/body_model.py [--batch_sizes=1,24,192,1536] [--rounds=10]

It prints bodies per second, for the forward pass alone and with the gradient by shape and pose.
The bodies alternate, so that other work on the machine affects all of them; the median of the
rounds is printed. Peak memory is what one call adds to a process of its own.

The package smplfitter is included if it can be imported. It is not a dependency:

    pip install --no-deps --target=DIR smplfitter==0.6.0 platformdirs
    PYTHONPATH=DIR python benchmarks/body_model.py
"""

import ctypes
import functools
import importlib.metadata
import itertools
import multiprocessing
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import app, flags

from hmr_tf2.smpl import SMPL, load_smpl_file
from hmr_tf2.standin import body

_BATCH_SIZES = flags.DEFINE_list("batch_sizes", ["1", "24", "192", "1536"], "Bodies per batch.")
_ROUNDS = flags.DEFINE_integer("rounds", 10, "Rounds per batch size.", 1)
TARGET_BATCH, TARGET_KEYPOINTS, TARGET_VERTICES = 192, 50, 3
SQUARE = 2048

Body = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Original:
    """The body as the original builds it: everything from vertices, in 4x4 transforms.

    It takes joints from the shaped mesh, walks the chain joint by joint, repeats the skinning
    weights for each body, uses homogeneous vertices, and regresses keypoints from all 6890 of them
    (akanazawa/hmr src/tf_smpl).
    """

    def __init__(self, path: str):
        model = load_smpl_file(path)
        self.parents = model["kintree_table"][0].tolist()
        self.template = _constant(model["v_template"])
        self.shape_dirs = _constant(model["shapedirs"].reshape(-1, 10).T)
        self.pose_dirs = _constant(model["posedirs"].reshape(-1, 9 * 23).T)
        self.weights = _constant(model["weights"])
        self.joint_regressor = _constant(model["J_regressor"].todense().T)
        self.keypoint_regressor = _constant(model["cocoplus_regressor"].todense().T)

    def keypoints(self, beta, theta):
        return regress(self.vertices(beta, theta), self.keypoint_regressor)

    def vertices(self, beta, theta):
        num_bodies, num_vertices = tf.shape(beta)[0], len(self.template)
        shaped = tf.reshape(beta @ self.shape_dirs, [-1, num_vertices, 3]) + self.template
        joints = regress(shaped, self.joint_regressor)
        Rs = tf.reshape(rodrigues(tf.reshape(theta, [-1, 3])), [-1, 24, 3, 3])
        pose_feature = tf.reshape(Rs[:, 1:] - tf.eye(3), [-1, 9 * 23])
        posed = tf.reshape(pose_feature @ self.pose_dirs, [-1, num_vertices, 3]) + shaped
        transforms = self.transforms(Rs, joints[..., tf.newaxis])
        weights = tf.tile(self.weights[tf.newaxis], [num_bodies, 1, 1])
        mixed = tf.matmul(weights, tf.reshape(transforms, [-1, 24, 16]))
        homogeneous = tf.concat([posed, tf.ones([num_bodies, num_vertices, 1])], axis=2)
        moved = tf.matmul(
            tf.reshape(mixed, [-1, num_vertices, 4, 4]), homogeneous[..., tf.newaxis]
        )
        return moved[:, :, :3, 0]

    def transforms(self, Rs, joints):
        """Rest pose to posed body, [N, 24, 4, 4]."""
        world = [homogeneous(Rs[:, 0], joints[:, 0])]
        for j, parent in enumerate(self.parents[1:], start=1):
            local = homogeneous(Rs[:, j], joints[:, j] - joints[:, parent])
            world.append(tf.matmul(world[parent], local))
        world = tf.stack(world, axis=1)
        at_rest = tf.matmul(world, tf.pad(joints, [[0, 0], [0, 0], [0, 1], [0, 0]]))
        return world - tf.pad(at_rest, [[0, 0], [0, 0], [0, 0], [3, 0]])


def rodrigues(theta):
    """[M, 3] to [M, 3, 3]."""
    angle = tf.norm(theta + 1e-8, axis=1)[:, tf.newaxis, tf.newaxis]
    axis = theta[..., tf.newaxis] / angle
    x, y, z = tf.unstack(axis[..., 0], axis=1)
    zero = tf.zeros_like(x)
    skew = tf.reshape(tf.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1), [-1, 3, 3])
    eye = tf.eye(3, batch_shape=[tf.shape(theta)[0]])
    outer = tf.matmul(axis, axis, transpose_b=True)
    return tf.cos(angle) * eye + (1 - tf.cos(angle)) * outer + tf.sin(angle) * skew


def homogeneous(rotation, translation):
    """[N, 3, 3] and [N, 3, 1] to [N, 4, 4]."""
    bottom = tf.ones([tf.shape(rotation)[0], 1, 1])
    return tf.concat(
        [
            tf.pad(rotation, [[0, 0], [0, 1], [0, 0]]),
            tf.concat([translation, bottom], axis=1),
        ],
        axis=2,
    )


def regress(vertices, regressor):
    """[N, V, 3] and [V, K] to [N, K, 3], one coordinate after the other."""
    return tf.stack([vertices[:, :, i] @ regressor for i in range(3)], axis=2)


def smplfitter_vertices(path: str) -> Body | None:
    """The package's TensorFlow body on the same model file; None if it is not installed."""
    try:
        from smplfitter.tf import BodyModel
    except ImportError:
        return None
    folder = pathlib.Path(path).parent
    # The names that it looks for; a template of zeros stands in for the children's body.
    named = folder / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl"
    if not named.exists():
        named.symlink_to(path)
        np.save(folder / "kid_template.npy", np.zeros([6890, 3]))
    model = BodyModel("smpl", "neutral", model_root=str(folder))
    return lambda beta, theta: model(pose_rotvecs=theta, shape_betas=beta)["vertices"]


def own_vertices(path: str) -> Body:
    smpl = SMPL(path)
    return lambda beta, theta: smpl.vertices_of(smpl.pose(beta, theta))


# What is timed, by the name in the table: from a model file to its function.
BODIES = {
    "keypoints": lambda path: SMPL(path).keypoints,
    "keypoints, original": lambda path: Original(path).keypoints,
    "vertices": own_vertices,
    "vertices, original": lambda path: Original(path).vertices,
    "vertices, smplfitter": smplfitter_vertices,
}


def inputs(size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Shapes [N, 10] and poses [N, 72]."""
    rng = np.random.default_rng(0)
    return _constant(rng.normal(0, 1, (size, 10))), _constant(rng.normal(0, 0.4, (size, 72)))


def compiled(function: Body, size: int) -> tuple[Callable, Callable]:
    """The forward pass without and with the gradient, for a batch of this size."""
    beta, theta = inputs(size)
    pull = tf.random.stateless_normal(function(beta[:1], theta[:1]).shape[1:], [0, 1])
    pull = tf.tile(pull[tf.newaxis], [size, 1, 1])

    def gradient(beta, theta):
        with tf.GradientTape() as tape:
            tape.watch((beta, theta))
            output = function(beta, theta)
        return tape.gradient(output, (beta, theta), output_gradients=pull)

    return tuple(
        functools.partial(tf.function(f, autograph=False), beta, theta)
        for f in (function, gradient)
    )


def seconds(functions: dict, rounds: int) -> dict[str, float]:
    """The median time of each; they take turns. The first two rounds do not count."""
    times = {name: [] for name in functions}
    for _ in range(rounds + 2):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            tf.test.experimental.sync_devices()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(measured[2:]) for name, measured in times.items()}


def peak_memory(path: str, name: str, size: int, with_gradient: bool) -> float:
    """MiB that the first call adds to this process, which should do nothing else; Linux only."""
    run = compiled(BODIES[name](path), size)[with_gradient]
    ctypes.CDLL(None).malloc_trim(0)
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the present
    before = _status_kib("VmRSS")
    run()
    return (_status_kib("VmHWM") - before) / 1024


def useful_flop(path: str) -> int:
    """The least number of operations for a body's vertices, however they are computed.

    These are the blend shapes, the mixing of transforms by the weights that are not zero, and the
    application of the transforms.
    """
    weights = load_smpl_file(path)["weights"]
    num_vertices = len(weights)
    return 2 * (
        3 * num_vertices * (10 + 9 * 23) + 12 * np.count_nonzero(weights) + 9 * num_vertices
    )


def check_that_they_agree(bodies: dict[str, Body]) -> None:
    for kind in ("keypoints", "vertices"):
        mine, *others = (
            function(*inputs(4)) for name, function in bodies.items() if name.startswith(kind)
        )
        for other in others:
            np.testing.assert_allclose(mine, other, atol=1e-5)


def main(argv):
    del argv
    tf.get_logger().setLevel("ERROR")  # one function per batch size is intended, not retracing
    sizes = [int(size) for size in _BATCH_SIZES.value]
    square = tf.random.uniform([SQUARE, SQUARE])
    multiply = tf.function(lambda: tf.matmul(square, square), autograph=False)
    with tempfile.TemporaryDirectory() as folder:
        path = body.write_model_files(folder)
        bodies = {name: build(path) for name, build in BODIES.items()}
        bodies = {name: function for name, function in bodies.items() if function}
        check_that_they_agree(bodies)
        servant = multiprocessing.get_context("forkserver")
        servant.set_forkserver_preload(["hmr_tf2.smpl", "tensorflow"])
        with servant.Pool(1, maxtasksperchild=1) as pool:
            jobs = list(itertools.product(bodies, sizes, (False, True)))
            memory = dict(zip(jobs, pool.starmap(peak_memory, [(path, *job) for job in jobs],
                                                 chunksize=1), strict=True))  # fmt: skip
        flop = useful_flop(path)
    if "vertices, smplfitter" in bodies:
        print(f"smplfitter {importlib.metadata.version('smplfitter')}")
    else:
        print("smplfitter is not installed and not compared; this program's docstring says how.")

    print(
        f"{'bodies/s':28s}{'forward':>12s}{'+ gradient':>12s}"
        f"{'MiB forward':>14s}{'+ gradient':>12s}"
    )
    for size in sizes:
        runs = {
            (name, number): run
            for name, function in bodies.items()
            for number, run in enumerate(compiled(function, size))
        }
        measured = seconds({**runs, "multiply": multiply}, _ROUNDS.value)
        print(f"batch {size}")
        for name in bodies:
            rates = [size / measured[name, number] for number in (0, 1)]
            peaks = [memory[name, size, with_gradient] for with_gradient in (False, True)]
            print(
                f"  {name:26s}{rates[0]:12,.0f}{rates[1]:12,.0f}{peaks[0]:14,.0f}{peaks[1]:12,.0f}"
            )
        if size == TARGET_BATCH:
            print_targets(measured, flop)


def print_targets(measured, flop):
    def ratio(other, mine, number):
        return measured[other, number] / measured[mine, number]

    print(
        f"  keypoints with gradient: {ratio('keypoints, original', 'keypoints', 1):.1f} times "
        f"the original; target {TARGET_KEYPOINTS}"
    )
    for other in ("original", "smplfitter"):
        if (f"vertices, {other}", 0) in measured:
            print(
                f"  vertices: {ratio(f'vertices, {other}', 'vertices', 0):.1f} times {other}; "
                f"target {TARGET_VERTICES}"
            )
    rate = TARGET_BATCH * flop / measured["vertices", 0] / 1e9
    peak = 2 * SQUARE**3 / measured["multiply"] / 1e9
    print(
        f"  vertices need {flop / 1e6:.1f} MFLOP per body: {rate:.0f} GFLOP/s, {rate / peak:.0%} "
        f"of the {peak:.0f} GFLOP/s of multiplying matrices"
    )


def _constant(array):
    return tf.constant(np.asarray(array), tf.float32)


def _status_kib(entry):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(entry):
            return int(line.split()[1])
    raise LookupError(entry)


if __name__ == "__main__":
    app.run(main)

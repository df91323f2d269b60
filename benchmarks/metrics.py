"""Times the joint errors of many skeletons beside the original's loop over them.

python benchmarks/metrics.py [--skeletons=10000] [--repeats=15]

Both compute MPJPE and PA-MPJPE, and are checked to agree. The two take turns; each figure is the
best of the repeats.
"""

import argparse
import os
import time

import numpy as np

from hmr_tf2.evaluation.metrics import compute_errors

TARGET = 50


def one_by_one(truth: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MPJPE and PA-MPJPE [M], one skeleton at a time, in the steps of the original."""
    errors, errors_pa = [], []
    for gt, pred in zip(truth, found, strict=True):
        gt, pred = (x - np.expand_dims((x[3] + x[2]) / 2.0, axis=0) for x in (gt, pred))
        errors.append(np.mean(np.sqrt(np.sum((gt - pred) ** 2, axis=1))))
        moved = best_similarity(pred.T, gt.T).T
        errors_pa.append(np.mean(np.sqrt(np.sum((gt - moved) ** 2, axis=1))))
    return np.array(errors), np.array(errors_pa)


def best_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`source` [3, K] moved onto `target`, with NumPy's singular value decomposition."""
    middle = source.mean(axis=1, keepdims=True)
    target_middle = target.mean(axis=1, keepdims=True)
    centred = source - middle
    covariance = centred.dot((target - target_middle).T)
    U, _, Vt = np.linalg.svd(covariance)
    turn = np.eye(3)
    turn[2, 2] = np.sign(np.linalg.det(U.dot(Vt)))
    R = Vt.T.dot(turn.dot(U.T))
    scale = np.trace(R.dot(covariance)) / np.sum(centred**2)
    return scale * R.dot(source) + (target_middle - scale * R.dot(middle))


def seconds(function, *arguments):
    begin = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - begin, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skeletons", type=int, default=10_000, help="Number of skeletons.")
    parser.add_argument("--repeats", type=int, default=15, help="Number of repeats.")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    truth = 300.0 * rng.normal(size=(options.skeletons, 14, 3))
    found = truth + 80.0 * rng.normal(size=truth.shape)
    compute_errors(truth[:1], found[:1])  # compiles
    best = {one_by_one: np.inf, compute_errors: np.inf}
    results = {}
    for _ in range(options.repeats):
        for function in best:
            time_of, results[function] = seconds(function, truth, found)
            best[function] = min(best[function], time_of)
    for loop, batch in zip(results[one_by_one], results[compute_errors], strict=True):
        np.testing.assert_allclose(loop, batch, rtol=1e-9)
    print(f"{options.skeletons} skeletons, load average {os.getloadavg()[0]:.1f}")
    print(f"one by one      {1000 * best[one_by_one]:9.1f} ms")
    print(f"compute_errors  {1000 * best[compute_errors]:9.1f} ms")
    print(f"ratio {best[one_by_one] / best[compute_errors]:.0f}; target: {TARGET}")


if __name__ == "__main__":
    main()

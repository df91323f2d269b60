"""The best similarity between two sets of points (Procrustes), for thousands of them at once.

Compiled, with a decomposition of its own: for a 3 x 3 matrix LAPACK spends most of the time on
being called.
"""

import numpy as np

from hmr_tf2.compiled import compiled

_MAX_SWEEPS = 30  # five are enough for double precision; a bound all the same
_EPSILON = float(np.finfo(np.float64).eps)


def compute_similarity_transform(S1: np.ndarray, S2: np.ndarray) -> np.ndarray:
    """Moves, turns and scales points as close as possible to others, without reflection.

    Source: akanazawa/hmr src/benchmark/eval_util.py, for any batch at once. Where the original
    divides by zero or leaves the choice to LAPACK, this is what happens:

    * `S1` all in one place, or a single point: it is only moved to the mean of `S2`.
    * `S2` all in one place: `S1` shrinks to it.
    * `S1` or `S2` on one line: of the rotations that are equally good, about that line, one is
      taken, always the same. No distance depends on which.
    * The mirror image of `S2`: it is turned and shrunk, never reflected.
    * NaN or infinity in `S1` or `S2`: NaN for this set of points, and for no other.

    Args:
        S1: float [..., K, 3], points to move.
        S2: float [..., K, 3], where they should be.

    Returns:
        float64 [..., K, 3].

    Raises:
        ValueError: the shapes differ or are not [..., K, 3].
    """
    S1, S2 = np.asarray(S1, np.float64), np.asarray(S2, np.float64)
    if S1.shape != S2.shape or S1.ndim < 2 or S1.shape[-1] != 3:
        raise ValueError(
            f"S1 and S2 must both be [..., K, 3]; got {list(S1.shape)} and {list(S2.shape)}."
        )
    moved = np.empty(S1.shape)
    flat = (-1, *S1.shape[-2:])
    if S1.size:
        _move_all(S1.reshape(flat), S2.reshape(flat), moved.reshape(flat))
    return moved


@compiled
def _move_all(sources, targets, moved):
    scratch = new_scratch()
    for m in range(len(sources)):
        move(sources[m], targets[m], moved[m], scratch)


@compiled
def new_scratch():
    """Memory for `move`: to make it anew for each skeleton would take longer than to compute."""
    return np.empty((4, 3, 3)), np.empty((2, 3))


@compiled
def move(source, target, moved, scratch):
    """`compute_similarity_transform` of one set, for compiled loops: fills `moved` [K, 3]."""
    matrices, middles = scratch
    K, U, V, R = matrices[0], matrices[1], matrices[2], matrices[3]
    middle_1, middle_2 = middles[0], middles[1]
    variance = _covariance(source, target, middle_1, middle_2, K)
    if not np.isfinite(variance):
        moved[:] = np.nan
        return
    _best_rotation(K, U, V, R)
    scale = 1.0
    if variance > 0.0:
        trace = 0.0
        for i in range(3):
            for j in range(3):
                trace += R[i, j] * K[j, i]
        scale = trace / variance
    for k in range(len(source)):
        x = source[k, 0] - middle_1[0]
        y = source[k, 1] - middle_1[1]
        z = source[k, 2] - middle_1[2]
        for i in range(3):
            turned = R[i, 0] * x + R[i, 1] * y + R[i, 2] * z
            moved[k, i] = scale * turned + middle_2[i]


@compiled
def _covariance(source, target, middle_1, middle_2, K):
    """Fills the means [3] and K [3, 3]; returns the variance of `source`, NaN if anything is."""
    count = len(source)
    middle_1[:], middle_2[:], K[:] = 0.0, 0.0, 0.0
    for k in range(count):
        for i in range(3):
            middle_1[i] += source[k, i] / count
            middle_2[i] += target[k, i] / count
    variance, total = 0.0, 0.0
    for k in range(count):
        for i in range(3):
            x = source[k, i] - middle_1[i]
            variance += x * x
            for j in range(3):
                K[i, j] += x * (target[k, j] - middle_2[j])
    for i in range(3):
        total += middle_1[i] + middle_2[i]
        for j in range(3):
            total += K[i, j]
    return variance if np.isfinite(total) else np.nan


@compiled
def _best_rotation(K, U, V, R):
    """Fills R [3, 3] with the rotation of the largest trace(R K).

    With K = U S V' it is V U', its smallest direction turned round where that would reflect. The
    third directions are the cross products of the other two, which does just this: only two
    singular pairs are needed.
    """
    _decompose(K, U, V)
    # The column of the least value gives way to the cross product of the others.
    least = 0
    for column in range(1, 3):
        if _length(U, column) < _length(U, least):
            least = column
    a, b = (least + 1) % 3, (least + 2) % 3
    sa, sb = _length(U, a), _length(U, b)
    if sb > sa:
        a, b, sa, sb = b, a, sb, sa
    if sa == 0.0:
        for i in range(3):
            for j in range(3):
                R[i, j] = 1.0 if i == j else 0.0
        return
    for i in range(3):
        U[i, a] /= sa
    if sb > 100 * _EPSILON * sa:
        for i in range(3):
            U[i, b] /= sb
    else:
        _put_perpendicular(U, a, b)
    _put_cross(U, a, b, least)
    _put_cross(V, a, b, least)
    for i in range(3):
        for j in range(3):
            R[i, j] = V[i, 0] * U[j, 0] + V[i, 1] * U[j, 1] + V[i, 2] * U[j, 2]


@compiled
def _decompose(K, U, V):
    """Fills U S / c and V, [3, 3], of K = U S V', unsorted: Jacobi rotations of pairs of columns.

    c is the largest entry of K, so that squares neither overflow nor vanish.
    Source: Golub and Van Loan, Matrix Computations, section 8.6.3.
    """
    largest = 0.0
    for i in range(3):
        for j in range(3):
            largest = max(largest, abs(K[i, j]))
    for i in range(3):
        for j in range(3):
            U[i, j] = K[i, j] / largest if largest > 0.0 else 0.0
            V[i, j] = 1.0 if i == j else 0.0
    for _ in range(_MAX_SWEEPS):
        is_done = True
        for p in range(2):
            for q in range(p + 1, 3):
                alpha, beta, gamma = 0.0, 0.0, 0.0
                for i in range(3):
                    alpha += U[i, p] * U[i, p]
                    beta += U[i, q] * U[i, q]
                    gamma += U[i, p] * U[i, q]
                if abs(gamma) <= _EPSILON * np.sqrt(alpha * beta):
                    continue
                is_done = False
                zeta = (beta - alpha) / (2.0 * gamma)
                t = 1.0 / (abs(zeta) + np.sqrt(1.0 + zeta * zeta))
                if zeta < 0.0:
                    t = -t
                c = 1.0 / np.sqrt(1.0 + t * t)
                s = c * t
                for i in range(3):
                    U[i, p], U[i, q] = c * U[i, p] - s * U[i, q], s * U[i, p] + c * U[i, q]
                    V[i, p], V[i, q] = c * V[i, p] - s * V[i, q], s * V[i, p] + c * V[i, q]
        if is_done:
            return


@compiled
def _length(A, column):
    return np.sqrt(A[0, column] ** 2 + A[1, column] ** 2 + A[2, column] ** 2)


@compiled
def _put_cross(A, a, b, out):
    """Column `out` becomes the cross product of columns `a` and `b`."""
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        A[i, out] = A[j, a] * A[k, b] - A[k, a] * A[j, b]


@compiled
def _put_perpendicular(A, a, out):
    """Column `out` becomes a unit vector at right angles to the unit vector in column `a`."""
    least = 0
    for i in range(1, 3):
        if abs(A[i, a]) < abs(A[least, a]):
            least = i
    for i in range(3):
        A[i, out] = (1.0 if i == least else 0.0) - A[least, a] * A[i, a]
    length = _length(A, out)
    for i in range(3):
        A[i, out] /= length

"""The best similarity between two sets of points (Procrustes), for thousands of sets at once.

The s, R, t that minimise sum_k |s R x_k + t - y_k|^2 are known in closed form (Umeyama 1991). With
the means and K = sum_k (x_k - mean x) (y_k - mean y)', the translation takes mean to mean, R is
the rotation of the largest trace(R K), and s = trace(R K) / sum_k |x_k - mean x|^2.

R comes from the singular value decomposition of K, as in the original. Horn's quaternions give the
same R as the eigenvector of a 4 x 4 matrix, but for flat or linear sets of points, whose best
rotation is not unique, the singular vectors show what is determined and what may be chosen.

The code is compiled, with a decomposition of its own: for a 3 x 3 matrix LAPACK spends most of its
time on being called. A block of matrices is decomposed side by side, in vector instructions.
"""

import numpy as np

from hmr_tf2.compiled import compiled

# How many sets are moved together: enough to fill vector registers, few enough for the L1 cache.
BLOCK = 32
# Five sweeps are enough in double precision; the bound only makes the loop finite.
_MAX_SWEEPS = 30
# Columns count as orthogonal if the cosine of their angle is below this. A sweep squares the
# cosine, and the sweep that finds none above it has itself rotated every pair, so that the result
# is better than the bound.
_ORTHOGONAL = 1e-13
# A second singular value smaller than the first by this factor is nothing but rounding.
_RANK_1 = 1e-14


def compute_similarity_transform(S1: np.ndarray, S2: np.ndarray) -> np.ndarray:
    """Moves, turns and scales points to be as close as possible to others, without reflection.

    Source: akanazawa/hmr src/benchmark/eval_util.py, for a whole batch at once. Where the original
    divides by zero or leaves the choice to LAPACK, this is what happens:

    * All points of `S1` coincide: they are only moved to the mean of `S2`.
    * All points of `S2` coincide: `S1` shrinks to that place.
    * `S1` or `S2` lies on a line: all rotations about that line are equally good, and always the
      same one is taken. No distance depends on which.
    * `S1` is the mirror image of `S2`: it is turned and shrunk, but never reflected.
    * `S1` or `S2` has NaN or infinity: the result is NaN for this set of points, and no other.

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
    for start in range(0, len(sources), BLOCK):
        end = min(start + BLOCK, len(sources))
        move(sources[start:end], targets[start:end], moved[start:end], scratch)


@compiled
def new_scratch() -> tuple[np.ndarray, ...]:
    """Memory for `move`, which is reused: allocating it takes longer than the computation."""
    # The number of the set is the last index: loops over the sets of a block then run along
    # memory, and each of their steps is one vector instruction for several sets.
    means, variances = np.empty((2, BLOCK, 3)), np.empty(BLOCK)
    K, U, V = np.empty((3, 3, BLOCK)), np.empty((3, 3, BLOCK)), np.empty((3, 3, BLOCK))
    return means, variances, K, U, V, np.empty((3, 3))


@compiled
def move(
    sources: np.ndarray, targets: np.ndarray, moved: np.ndarray, scratch: tuple[np.ndarray, ...]
) -> None:
    """`compute_similarity_transform` for compiled code: fills `moved` [B, K, 3], B <= BLOCK."""
    means, variances, K, U, V, R = scratch
    count = len(sources)
    for m in range(count):
        variances[m] = _covariance(sources, targets, m, means, K)
    _decompose(K, U, V, count)
    for m in range(count):
        if np.isnan(variances[m]):
            moved[m] = np.nan
            continue
        _best_rotation(U, V, m, R)
        # Points that all coincide have no scale: any would do, as they end at the target's mean.
        scale = 1.0
        if variances[m] > 0.0:
            # trace(R K), the sum of the singular values, the last of them with the sign that keeps
            # R a rotation. It is never negative, and less than the sum for a mirror image, which
            # therefore shrinks.
            trace = 0.0
            for i in range(3):
                for j in range(3):
                    trace += R[i, j] * K[j, i, m]
            # Neither is divided by the number of points, which would cancel here.
            scale = trace / variances[m]
        for k in range(sources.shape[1]):
            x = sources[m, k, 0] - means[0, m, 0]
            y = sources[m, k, 1] - means[0, m, 1]
            z = sources[m, k, 2] - means[0, m, 2]
            for i in range(3):
                turned = R[i, 0] * x + R[i, 1] * y + R[i, 2] * z
                moved[m, k, i] = scale * turned + means[1, m, i]


@compiled
def _covariance(sources, targets, m, means, K):
    """Fills the means and K of set `m`; returns the sum of squares of its centred source.

    For a set that is not finite the result is NaN, and K is zero.
    """
    count = sources.shape[1]
    # The means come first. The one-pass formula, sum of squares minus square of sums, would lose
    # digits to cancellation: points may be far from the origin and close to each other.
    for i in range(3):
        total_1, total_2 = 0.0, 0.0
        for k in range(count):
            total_1 += sources[m, k, i]
            total_2 += targets[m, k, i]
        means[0, m, i] = total_1 / count
        means[1, m, i] = total_2 / count
    variance, is_finite = 0.0, True
    for i in range(3):
        mean = means[0, m, i]
        for j in range(3):
            target_mean, total = means[1, m, j], 0.0
            for k in range(count):
                total += (sources[m, k, i] - mean) * (targets[m, k, j] - target_mean)
            K[i, j, m] = total
            is_finite = is_finite and np.isfinite(total)
        for k in range(count):
            variance += (sources[m, k, i] - mean) ** 2
    if is_finite and np.isfinite(variance):
        return variance
    # Zero is decomposed like any other matrix, so the loops over the block need no branch for it.
    K[:, :, m] = 0.0
    return np.nan


@compiled(error_model="numpy")
def _decompose(K, U, V, count):
    """Fills U S / c and V of K = U S V', all [3, 3, count], in no particular order.

    Source: the one-sided Jacobi method; Golub and Van Loan, Matrix Computations, section 8.6.3.
    Columns of K V are rotated in pairs, by changing V, until all are orthogonal: they are then
    U S. Unlike the eigenvectors of K'K, in closed form or not, this never squares the condition
    number, and the small singular values of flat and linear sets of points stay accurate.
    """
    # c is the largest entry of K: with it divided out, squares neither overflow nor vanish. A
    # rotation does not depend on it.
    for m in range(count):
        largest = 0.0
        for i in range(3):
            for j in range(3):
                largest = max(largest, abs(K[i, j, m]))
        for i in range(3):
            for j in range(3):
                U[i, j, m] = K[i, j, m] / largest if largest > 0.0 else 0.0
                V[i, j, m] = 1.0 if i == j else 0.0
    # All sets take as many sweeps as the slowest of the block: a further rotation of orthogonal
    # columns changes nothing, and costs less than a branch in the innermost loop.
    for _ in range(_MAX_SWEEPS):
        num_rotated = 0
        for p in range(2):
            for q in range(p + 1, 3):
                num_rotated += _rotate_columns(U, V, p, q, count)
        if num_rotated == 0:
            return


@compiled(error_model="numpy")
def _rotate_columns(U, V, p, q, count):
    """Makes columns p and q of each U orthogonal; returns how many pairs were not."""
    # No branches in this loop, only selections, so that it becomes vector instructions. The
    # columns a and b are held in scalars, as U is overwritten while it is read.
    num_rotated = 0
    for m in range(count):
        a0, a1, a2 = U[0, p, m], U[1, p, m], U[2, p, m]
        b0, b1, b2 = U[0, q, m], U[1, q, m], U[2, q, m]
        alpha = a0 * a0 + a1 * a1 + a2 * a2
        beta = b0 * b0 + b1 * b1 + b2 * b2
        gamma = a0 * b0 + a1 * b1 + a2 * b2
        # |cos| > bound, without the division, which would fail for a column of zeros.
        num_rotated += 1 if gamma * gamma > _ORTHOGONAL * _ORTHOGONAL * alpha * beta else 0
        # t^2 + (difference / gamma) t - 1 = 0 holds for the tangents of the two angles that make
        # the columns orthogonal. The smaller one, at most 45 degrees, makes the sweeps converge;
        # in this form it has no cancellation, and is 0 for gamma = 0.
        difference = beta - alpha
        divisor = abs(difference) + np.sqrt(difference * difference + 4.0 * gamma * gamma)
        t = (2.0 if difference >= 0.0 else -2.0) * gamma / (divisor if divisor > 0.0 else 1.0)
        c = 1.0 / np.sqrt(1.0 + t * t)
        s = c * t
        U[0, p, m], U[1, p, m], U[2, p, m] = c * a0 - s * b0, c * a1 - s * b1, c * a2 - s * b2
        U[0, q, m], U[1, q, m], U[2, q, m] = s * a0 + c * b0, s * a1 + c * b1, s * a2 + c * b2
        a0, a1, a2 = V[0, p, m], V[1, p, m], V[2, p, m]
        b0, b1, b2 = V[0, q, m], V[1, q, m], V[2, q, m]
        V[0, p, m], V[1, p, m], V[2, p, m] = c * a0 - s * b0, c * a1 - s * b1, c * a2 - s * b2
        V[0, q, m], V[1, q, m], V[2, q, m] = s * a0 + c * b0, s * a1 + c * b1, s * a2 + c * b2
    return num_rotated


@compiled
def _best_rotation(U, V, m, R):
    """Fills R [3, 3] with the rotation of the largest trace(R K); K = U S V' is the block's m-th.

    It is V U', except that the direction of the smallest singular value is reversed if V U' is a
    reflection, which costs least. `U` and `V` are overwritten.
    """
    # Both third directions become the cross products of the other two. U and V then have the same
    # handedness, so V U' is a rotation: the reversal needs no case, no determinant, and no third
    # singular vector, which for points in a plane would be unknown.
    least = 0
    for column in range(1, 3):
        if _length(U, column, m) < _length(U, least, m):
            least = column
    a, b = (least + 1) % 3, (least + 2) % 3
    sa, sb = _length(U, a, m), _length(U, b, m)
    if sb > sa:
        a, b, sa, sb = b, a, sb, sa
    if sa == 0.0:
        # K is zero, as when one of the sets is a single place. All rotations are equally good.
        for i in range(3):
            for j in range(3):
                R[i, j] = 1.0 if i == j else 0.0
        return
    for i in range(3):
        U[i, a, m] /= sa
    # With one singular value, points lie on a line: only the direction of the line is determined,
    # and what is left of the second column is rounding. Any perpendicular direction is as good.
    if sb > _RANK_1 * sa:
        for i in range(3):
            U[i, b, m] /= sb
    else:
        _put_perpendicular(U, a, b, m)
    _put_cross(U, a, b, least, m)
    _put_cross(V, a, b, least, m)
    for i in range(3):
        for j in range(3):
            R[i, j] = V[i, 0, m] * U[j, 0, m] + V[i, 1, m] * U[j, 1, m] + V[i, 2, m] * U[j, 2, m]


@compiled
def _length(A, column, m):
    x, y, z = A[0, column, m], A[1, column, m], A[2, column, m]
    return np.sqrt(x * x + y * y + z * z)


@compiled
def _put_cross(A, a, b, out, m):
    """Column `out` of the m-th matrix becomes the cross product of columns `a` and `b`."""
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        A[i, out, m] = A[j, a, m] * A[k, b, m] - A[k, a, m] * A[j, b, m]


@compiled
def _put_perpendicular(A, a, out, m):
    """Column `out` becomes a unit vector perpendicular to the unit vector in column `a`."""
    # From the axis that is farthest from `a`, so that what remains of it is never short.
    least = 0
    for i in range(1, 3):
        if abs(A[i, a, m]) < abs(A[least, a, m]):
            least = i
    for i in range(3):
        A[i, out, m] = (1.0 if i == least else 0.0) - A[least, a, m] * A[i, a, m]
    length = _length(A, out, m)
    for i in range(3):
        A[i, out, m] /= length

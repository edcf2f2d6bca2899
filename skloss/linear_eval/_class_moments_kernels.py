"""Compiled passes that sum the moments of classes over rows.

Every pass adds to the arrays it is handed. Sums are float64 whatever the data's
dtype. Rows of zero weight add nothing, but a nan or an infinity in them still shows
in the sums, which is how invalid data are noticed without another pass.
"""

from skloss._jit import kernel

__all__ = [
    "add_powers",
    "add_sparse_powers",
    "add_sparse_squares",
    "add_sparse_sums",
    "add_sums",
]


@kernel
def add_sums(X, codes, weights, choose_shift, shift, count, sums, squares):
    """Sum rows and their squares, each relative to a shift of its class.

    With `choose_shift` the shift of a class becomes its first row of positive weight.
    A member of the class keeps squares within n times the scatter (in units of its
    weight), and makes the squares of a constant feature exactly zero.
    """
    for i in range(X.shape[0]):
        k, weight = codes[i], weights[i]
        row, center, total = X[i], shift[k], sums[k]
        if choose_shift and count[k] == 0.0 and weight > 0.0:
            for j in range(row.shape[0]):
                center[j] = row[j]
        count[k] += weight
        for j in range(row.shape[0]):
            deviation = row[j] - center[j]
            weighted = weight * deviation
            total[j] += weighted
            squares[j] += weighted * deviation


@kernel
def add_powers(X, codes, weights, shift, mean, second, third, fourth):
    """Sum the central powers; means are relative to the shifts."""
    for i in range(X.shape[0]):
        k, weight = codes[i], weights[i]
        row, center, offset = X[i], shift[k], mean[k]
        square, cube = second[k], third[k]
        for j in range(row.shape[0]):
            deviation = (row[j] - center[j]) - offset[j]
            weighted = weight * deviation * deviation
            square[j] += weighted
            cube[j] += weighted * deviation
            fourth[j] += weighted * deviation * deviation


@kernel
def add_sparse_sums(data, indices, indptr, codes, weights, first, count, sums, stored):
    """Sum stored entries, and the weight of the rows that store each of them.

    `first` becomes the first row of positive weight of each class.
    Where all rows of a class store a feature, `stored` equals `count` to the last
    bit, since both add the same weights in the same order.
    """
    for i in range(codes.shape[0]):
        k, weight = codes[i], weights[i]
        if count[k] == 0.0 and weight > 0.0:
            for at in range(indptr[i], indptr[i + 1]):
                first[k, indices[at]] = data[at]
        count[k] += weight
        total, present = sums[k], stored[k]
        for at in range(indptr[i], indptr[i + 1]):
            total[indices[at]] += weight * data[at]
            present[indices[at]] += weight


@kernel
def add_sparse_squares(data, indices, indptr, codes, weights, mean, sums, squares):
    """Sum deviations of stored entries from the means of their class, and squares."""
    for i in range(codes.shape[0]):
        k, weight = codes[i], weights[i]
        center, total = mean[k], sums[k]
        for at in range(indptr[i], indptr[i + 1]):
            j = indices[at]
            deviation = data[at] - center[j]
            weighted = weight * deviation
            total[j] += weighted
            squares[j] += weighted * deviation


@kernel
def add_sparse_powers(
    data, indices, indptr, codes, weights, mean, second, third, fourth
):
    """Sum the central powers of stored entries."""
    for i in range(codes.shape[0]):
        k, weight = codes[i], weights[i]
        center, square, cube = mean[k], second[k], third[k]
        for at in range(indptr[i], indptr[i + 1]):
            j = indices[at]
            deviation = data[at] - center[j]
            weighted = weight * deviation * deviation
            square[j] += weighted
            cube[j] += weighted * deviation
            fourth[j] += weighted * deviation * deviation

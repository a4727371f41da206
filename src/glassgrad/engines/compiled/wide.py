"""The gradient and the evaluation of networks too large to be written out: loops over layers and units.

Samples stay the vector axis. A hidden layer's sums and activations are kept for all samples (rows of Z and A); four
units of the layer below are taken at a time, so that a sum is loaded and stored once for four products.
"""

from glassgrad.engines.compiled.emit import Constants, emit
from glassgrad.formula.derivative import derivative
from glassgrad.formula.tree import Tree
from glassgrad.method import Method

LOOPS = '''
@kernel
def multiply_rows(n, count, row, bias, A, base, out):
    """out = bias + Σ_j row[j]*A[base + j], over n samples."""
    for q in range(n):
        out[q] = bias
    j = 0
    while j + 4 <= count:
        w0, w1, w2, w3 = row[j], row[j + 1], row[j + 2], row[j + 3]
        a0, a1, a2, a3 = A[base + j], A[base + j + 1], A[base + j + 2], A[base + j + 3]
        for q in range(n):
            out[q] += w0 * a0[q] + w1 * a1[q] + w2 * a2[q] + w3 * a3[q]
        j += 4
    while j < count:
        w0, a0 = row[j], A[base + j]
        for q in range(n):
            out[q] += w0 * a0[q]
        j += 1


@kernel
def dot_rows(n, count, d, A, base, g):
    """g[j] = Σ_q d[q]*A[base + j, q]."""
    j = 0
    while j + 4 <= count:
        a0, a1, a2, a3 = A[base + j], A[base + j + 1], A[base + j + 2], A[base + j + 3]
        s0, s1, s2, s3 = F(0), F(0), F(0), F(0)
        for q in range(n):
            x = d[q]
            s0 += x * a0[q]
            s1 += x * a1[q]
            s2 += x * a2[q]
            s3 += x * a3[q]
        g[j], g[j + 1], g[j + 2], g[j + 3] = s0, s1, s2, s3
        j += 4
    while j < count:
        a0, s0 = A[base + j], F(0)
        for q in range(n):
            s0 += d[q] * a0[q]
        g[j] = s0
        j += 1


@kernel
def sum_of(n, d):
    total = F(0)
    for q in range(n):
        total += d[q]
    return total


@kernel
def add_row(n, w, d, out):
    for q in range(n):
        out[q] += w * d[q]


@kernel
def forward(n, P, X, KEEP, H, sizes, Z, A):
    """All hidden layers, and the last sum in Z's last row; A begins with the inputs."""
    last = sizes.shape[0] - 1
    for k in range(sizes[0]):
        for q in range(n):
            A[k, q] = X[k, q]
    base, below, row = 0, 0, 0
    for layer in range(1, last + 1):
        inputs, units = sizes[layer - 1], sizes[layer]
        above = below + inputs
        for i in range(units):
            weights = P[base + i * (inputs + 1) : base + (i + 1) * (inputs + 1)]
            multiply_rows(n, inputs, weights, weights[inputs], A, below, Z[row])
            if layer < last:
                activate(n, Z[row], A[above + i], H)
                if KEEP.shape[0] > 0:
                    for q in range(n):
                        A[above + i, q] *= KEEP[row, q]
            row += 1
        base += units * (inputs + 1)
        below = above


@kernel
def backward(n, P, KEEP, H, sizes, Z, A, D, G):
    """From D's last row, the derivative at the last sum times the sample's weight, to every parameter."""
    last = sizes.shape[0] - 1
    base, row, below = P.shape[0], Z.shape[0], A.shape[0]
    for layer in range(last, 0, -1):
        inputs, units = sizes[layer - 1], sizes[layer]
        base -= units * (inputs + 1)
        row -= units
        below -= inputs
        for i in range(units):
            at = base + i * (inputs + 1)
            dot_rows(n, inputs, D[row + i], A, below, G[at : at + inputs])
            G[at + inputs] = sum_of(n, D[row + i])
        if layer > 1:
            for j in range(inputs):
                d = D[row - inputs + j]
                for q in range(n):
                    d[q] = F(0)
                for i in range(units):
                    add_row(n, P[base + i * (inputs + 1) + j], D[row + i], d)
                slope(n, Z[row - inputs + j], d, H)
                if KEEP.shape[0] > 0:
                    for q in range(n):
                        d[q] *= KEEP[row - inputs + j, q]
'''


def activation_source(of: Method, constants: Constants) -> str:
    """def activate(n, z, a, H) and def slope(n, z, d, H): the hidden layers' activation and d *= its derivative."""
    tree: Tree = of.activation.tree
    value, steep = emit(tree, {"z": "z[q]"}, constants), emit(derivative(tree, "z"), {"z": "z[q]"}, constants)
    return f"""
@kernel
def activate(n, z, a, H):
    for q in range(n):
        a[q] = {value}


@kernel
def slope(n, z, d, H):
    for q in range(n):
        d[q] *= {steep}
"""

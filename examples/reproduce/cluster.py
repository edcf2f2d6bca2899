"""Rerun what the papers on fast k-medoids report, as far as that needs no download.

Each line shows what was reported beside what comes out here. Run from the repository:

    python examples/reproduce/cluster.py          # a minute
    python examples/reproduce/cluster.py --full   # larger graphs, too

The reports are those of

- E. Schubert, P. J. Rousseeuw, "Fast and eager k-medoids clustering", Information
  Systems 101, 2021: SWAP of FasterPAM is 458 times as fast as that of PAM for 100
  medoids and 1191 times for 200, on data of about this size; on p-median problems of
  the OR-Library, its random restarts come as near to the optimum as PAM;
- L. Lenssen, E. Schubert, "Medoid silhouette clustering with automatic cluster number
  selection", Information Systems 120, 2024: FasterMSC is 10464 times as fast as
  PAMMEDSIL for 30000 points and 100 medoids, in smaller problems less;
- A. de Mathelin et al., "OneBatchPAM", AAAI 2025: losses within 1 to 3 % of
  FasterPAM's from far fewer dissimilarities.

The OR-Library's files do not come with any package, so graphs are drawn by the same
recipe (J. E. Beasley, "A note on solving large p-median problems", 1985): random edges
with whole lengths from 1 to 100, distances by shortest paths.
"""

import argparse
import os
import time
import warnings

import numpy as np
from numba import njit
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances

from skloss.cluster import KMedoids, k_medoids, pam_build

try:
    import kmedoids as peer
except ImportError:
    peer = None

LINE = "{:52} {:>14} {:>14}"


@njit(error_model="numpy")
def original_swap(D, medoids, slots, nearest, second):
    """One iteration of the original PAM: every medoid against every candidate."""
    best, best_slot, best_candidate = 0.0, -1, -1
    taken = np.zeros(len(D), dtype=np.bool_)
    taken[medoids] = True
    for slot in range(len(medoids)):
        for candidate in range(len(D)):
            if taken[candidate]:
                continue
            row, change = D[candidate], 0.0
            for o in range(len(D)):
                if slots[o] == slot:
                    change += min(row[o], second[o]) - nearest[o]
                elif row[o] < nearest[o]:
                    change += row[o] - nearest[o]
            if change < best:
                best, best_slot, best_candidate = change, slot, candidate
    return best, best_slot, best_candidate


def seconds(function, repeat=3):
    """Shortest time of a few runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def report(what, reported, ours):
    """Print one line."""
    print(LINE.format(what, reported, ours), flush=True)


def time_original_pam(D, k):
    """Seconds of PAM's SWAP phase: one iteration, and how many there are."""
    medoids = pam_build(D, k)
    to_medoids = D[:, medoids]
    order = np.argsort(to_medoids, axis=1, kind="stable")
    nearest = np.take_along_axis(to_medoids, order[:, :1], axis=1).ravel()
    second = np.take_along_axis(to_medoids, order[:, 1:2], axis=1).ravel()
    slots = order[:, 0].copy()
    original_swap(D[:20, :20].copy(), np.arange(2), slots[:20], nearest, second)
    once = seconds(lambda: original_swap(D, medoids, slots, nearest, second), 1)
    return once * (k_medoids(D, k, method="pam", init=medoids).n_swaps + 1)


def headline(D, k, reported):
    """SWAP of FasterPAM against SWAP of the original PAM, both from BUILD."""
    medoids = pam_build(D, k)

    def fast():
        k_medoids(D, k, init=medoids)

    fast()
    slow = time_original_pam(D, k)
    report(f"SWAP, FasterPAM over PAM, k={k}", reported, f"{slow / seconds(fast):.0f}x")
    if peer is not None:
        turned = D.T  # symmetric, and the order that the peer reads fastest
        theirs = seconds(lambda: peer.fasterpam(turned, medoids.copy(), n_cpu=1))
        report("  the same with kmedoids.fasterpam", "", f"{slow / theirs:.0f}x")


def losses(D, k, reported_pam, reported_fast):
    """Losses of PAM and FasterPAM from BUILD."""
    pam = k_medoids(D, k, method="pam").loss
    fast = k_medoids(D, k).loss
    report(f"loss of PAM from BUILD, k={k}", reported_pam, f"{pam:.2f}")
    report(f"loss of FasterPAM from BUILD, k={k}", reported_fast, f"{fast:.2f}")


def optimum_of_digits(D):
    """Find the best of ten starts for 10 medoids and prove that it is the best."""
    model = KMedoids(
        10, metric="precomputed", init="random", n_init=10, bound=True, random_state=0
    ).fit(D)
    report("digits, 10 medoids: least loss", "51194.6998", f"{model.inertia_:.4f}")
    report("  proven: relative gap", "< 1e-6", f"{model.gap_:.0e}")


def silhouettes(n, k):
    """FasterMSC against PAMMEDSIL, of which one iteration is timed."""
    X = np.random.RandomState(0).standard_normal((n, 10))
    D = pairwise_distances(X)
    init = np.random.RandomState(1).permutation(n)[:k]

    def fast():
        return k_medoids(D, k, method="fastermsc", init=init)

    def slow_once():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            k_medoids(D, k, method="pammedsil", init=init, max_iter=1)

    fast()
    n_iterations = k_medoids(D, k, method="fastmsc", init=init).n_iter
    k_medoids(D[:20, :20], 3, method="pammedsil", init=np.arange(3))
    ratio = seconds(slow_once, 1) * n_iterations / seconds(fast)
    report(f"FasterMSC over PAMMEDSIL, n={n}, k={k}", "> 500x", f"{ratio:.0f}x")


def one_batch(name, X, k, reported):
    """Loss of OneBatchPAM, a mean of five batches, over FasterPAM's."""
    whole = KMedoids(k, init="random", n_init=3, random_state=0).fit(X)
    batches = [
        KMedoids(k, method="onebatch", init="random", random_state=seed).fit(X)
        for seed in range(5)
    ]
    gap = np.mean([model.inertia_ for model in batches]) / whole.inertia_ - 1
    share = batches[0].n_distances_ / whole.n_distances_
    report(f"OneBatchPAM's excess loss, {name}, k={k}", reported, f"{gap:+.1%}")
    report("  share of the dissimilarities it computes", "", f"{share:.0%}")


def random_graph(n, n_edges, seed):
    """Shortest paths in a connected random graph."""
    random = np.random.RandomState(seed)
    order = random.permutation(n)
    tree = [(order[i], order[random.randint(i)]) for i in range(1, n)]
    rest = random.randint(n, size=(n_edges - len(tree), 2)).tolist()
    edges = {}
    for i, j in tree + rest:
        if i != j:
            edges[min(i, j), max(i, j)] = random.randint(1, 101)
    rows, columns = np.array(list(edges)).T
    graph = sparse.csr_array((list(edges.values()), (rows, columns)), shape=(n, n))
    return sparse.csgraph.shortest_path(graph, directed=False)


def p_median(name, n, n_edges, k, reported):
    """Random restarts of FasterPAM against the proven optimum of a graph."""
    D = random_graph(n, n_edges, seed=k)
    start = time.perf_counter()
    exact = KMedoids(k, metric="precomputed", method="exact", max_iter=10_000).fit(D)
    took = time.perf_counter() - start
    found = [
        k_medoids(D, k, init="random", random_state=seed).loss for seed in range(30)
    ]
    gaps = np.array(found) / exact.inertia_ - 1
    report(
        f"graph like {name}: n={n}, k={k}, mean excess", reported, f"{gaps.mean():.2%}"
    )
    proof = "proven" if exact.gap_ == 0 else f"gap {exact.gap_:.1e}"
    report("  best excess of 30 starts", "", f"{gaps.min():.2%}")
    report(f"  optimum {exact.inertia_:.0f}, {proof} in {took:.2f} s", "", "")
    build = k_medoids(D, k, method="pam").loss / exact.inertia_ - 1
    report("  excess of PAM from BUILD", "", f"{build:.2%}")


def main():
    """Print all lines."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true", help="larger graphs, too")
    arguments = parser.parse_args()
    smoke = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))

    X = load_digits().data
    D = pairwise_distances(X[:300] if smoke else X)
    single = D.astype(np.float32)
    print(LINE.format("digits" + " (300 of them)" * smoke, "reported", "here"))
    if smoke:
        headline(single, 20, "")
        silhouettes(200, 10)
        one_batch("digits", X[:300], 5, "")
        p_median("pmed1", 100, 200, 5, "")
        return
    headline(single, 100, ">= 458x")
    headline(single, 200, ">= 1191x")
    losses(D, 10, "", "51194.70")
    losses(D, 100, "34812.79", "34806.14")
    optimum_of_digits(D)
    silhouettes(1000, 50)
    one_batch("digits", X, 10, "+0.1%")
    one_batch("digits", X, 100, "+2.3%")
    gaussian = np.random.RandomState(0).standard_normal((5000, 10))
    one_batch("5000 Gaussian rows", gaussian, 50, "+1.2%")
    p_median("pmed1", 100, 200, 5, "0.00%")
    p_median("pmed5", 100, 200, 33, "0.34%")
    p_median("pmed10", 200, 800, 67, "1.21%")
    if arguments.full:
        p_median("pmed20", 400, 3200, 133, "0.57%")
        p_median("pmed30", 600, 7200, 200, "1.10%")


if __name__ == "__main__":
    main()

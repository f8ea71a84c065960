"""Distributes examples to clients.

Every function takes `labels` (int [n], any coding), the number of clients, `alpha` and a random
stream, and returns one int64 array of indices into `labels` per client. `iid` ignores `alpha`;
`natural` takes users instead of labels.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from flasc.common.errors import UserError

SMALLEST_ALPHA = 1e-6  # for Dirichlet; at 1e-3 most clients have one class already

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Partition = Callable[[npt.NDArray[np.integer], int, float, np.random.Generator], list[Indices]]


class PartitionError(UserError):
    """A partition that is not possible."""


def dirichlet(
    labels: npt.NDArray[np.integer], clients: int, alpha: float, rng: np.random.Generator
) -> list[Indices]:
    """Label skew after Hsu et al. (arXiv 1909.06335); every example is used exactly once.

    Each client draws class proportions from Dir(alpha). The shuffled examples of a class are
    distributed in proportion to the clients' shares of it, by largest remainder (ties to the lowest
    client). Then each empty client, lowest first, gets the last example of the currently largest
    client (ties to the lowest). Indices ascend within a client. Raises PartitionError for fewer
    examples than clients, or an alpha outside [1e-6, inf).
    """
    _check(len(labels), clients, alpha)
    classes, codes = np.unique(labels, return_inverse=True)
    shares = np.exp(_normalised(log_dirichlet(clients, len(classes), alpha, rng), axis=0))
    owner = np.empty(len(labels), np.int64)
    for c in range(len(classes)):
        members = rng.permutation(np.flatnonzero(codes == c))
        counts = largest_remainder(shares[:, c], len(members))
        owner[members] = np.repeat(np.arange(clients), counts)
    ends = np.bincount(owner, minlength=clients).cumsum()
    order = np.argsort(owner, kind="stable").astype(np.int64)
    return _fill_empty(np.split(order, ends[:-1]))


def dirichlet_reference(
    labels: npt.NDArray[np.integer], clients: int, alpha: float, rng: np.random.Generator
) -> list[Indices]:
    """The partition of FLASC's public code (arXiv 2406.05233), unchanged; for comparisons only.

    Proportions are drawn as in `dirichlet`, but counts are rounded: examples are left out, more as
    alpha grows (about 2 % at 0.1 and 23 % at 1000, with 350 clients and 450 examples per class), a
    class may be used up before the last clients, and clients may stay empty. A class is distributed
    in the order of `labels`; a client's indices are grouped by class. Raises PartitionError where
    proportions underflow to 0 / 0 (alpha below about 0.001; sooner with fewer classes), and as
    `dirichlet` does.
    """
    _check(len(labels), clients, alpha)
    classes, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    with np.errstate(invalid="ignore", over="ignore"):
        draws = rng.standard_gamma(alpha, (clients, len(classes)))
        draws /= draws.sum(axis=1, keepdims=True)
        shares = draws / draws.sum(axis=0)
    if not np.isfinite(shares).all():
        raise PartitionError(
            f"dirichlet_reference at alpha {alpha:g} divides zero by zero, as FLASC's code does",
            "use the kind 'dirichlet', which works in log space, or a larger alpha",
        )
    ends = (shares * sizes).round().astype(np.int64).cumsum(axis=0)
    starts = np.vstack([np.zeros_like(sizes), ends[:-1]])
    members = [np.flatnonzero(codes == c) for c in range(len(classes))]
    return [
        np.concatenate([m[a:b] for m, a, b in zip(members, start, end, strict=True)])
        for start, end in zip(starts, ends, strict=True)
    ]


def iid(
    labels: npt.NDArray[np.integer], clients: int, _alpha: float, rng: np.random.Generator
) -> list[Indices]:
    """Shuffled and distributed evenly: sizes differ by at most one. Indices ascend within a client.

    Raises PartitionError for fewer examples than clients.
    """
    _check(len(labels), clients, 1.0)
    return [np.sort(part) for part in np.array_split(rng.permutation(len(labels)), clients)]


def natural(
    owners: npt.NDArray[np.integer], clients: int, pooled: float, rng: np.random.Generator
) -> list[Indices]:
    """Each client is a user: `owners` (int [n]) holds the user's code for every example.

    `clients` users are drawn without replacement, in random order. As in FLASC's public code, a
    user keeps the first int((1 - pooled) k) of k examples; the others are shuffled together and
    distributed evenly (here all of them; that code drops the remainder). Raises PartitionError for
    fewer users than clients.
    """
    users = np.unique(owners)
    if not 1 <= clients <= len(users):
        raise PartitionError(
            f"found {clients} clients for {len(users)} users; allowed: 1 to {len(users)} clients"
        )
    chosen = rng.permutation(users)[:clients]
    order = np.argsort(owners, kind="stable").astype(np.int64)
    starts, stops = (np.searchsorted(owners[order], chosen, side) for side in ("left", "right"))
    held = [order[a:b] for a, b in zip(starts, stops, strict=True)]
    if not pooled:
        return held
    cuts = [int((1 - pooled) * len(mine)) for mine in held]
    pool = np.concatenate([mine[cut:] for mine, cut in zip(held, cuts, strict=True)])
    dealt = np.array_split(rng.permutation(pool), clients)
    parts = zip(held, cuts, dealt, strict=True)
    return [np.concatenate([mine[:cut], more]) for mine, cut, more in parts]


PARTITIONS: dict[str, Partition] = {
    "dirichlet": dirichlet,
    "dirichlet_reference": dirichlet_reference,
    "iid": iid,
}


def largest_remainder(shares: Floats, total: int) -> Indices:
    """Whole numbers in proportion to `shares` (float [k], sums to 1) that sum to `total`.

    Hamilton's method; ties of the remainders go to the lowest index. Returns int64 [k].
    """
    quotas = shares * total
    counts = np.floor(quotas).astype(np.int64)
    order = np.argsort(counts - quotas, kind="stable")
    counts[order[: total - counts.sum()]] += 1
    assert counts.sum() == total, "shares sum to 1"
    return counts


def log_dirichlet(rows: int, columns: int, alpha: float, rng: np.random.Generator) -> Floats:
    """Logarithms of `rows` draws from the symmetric Dir(alpha) over `columns`; float64, finite.

    Gamma(a) has the distribution of Gamma(a + 1) U^(1/a) (Marsaglia & Tsang 2000, section 6), and
    -ln U is exponential. The power underflows for a small alpha; its logarithm does not.
    """
    gamma = rng.standard_gamma(alpha + 1, (rows, columns))
    return _normalised(np.log(gamma) - rng.standard_exponential((rows, columns)) / alpha, axis=1)


def _check(examples: int, clients: int, alpha: float) -> None:
    if not 1 <= clients <= examples:
        raise PartitionError(
            f"found {clients} clients for {examples} examples; allowed: 1 to {examples} clients"
        )
    if not (math.isfinite(alpha) and alpha >= SMALLEST_ALPHA):
        raise PartitionError(
            f"found alpha {alpha:g}; allowed: a finite number of {SMALLEST_ALPHA:g} or more"
        )


def _normalised(logs: Floats, axis: int) -> Floats:
    logs = logs - logs.max(axis=axis, keepdims=True)
    total: Floats = np.exp(logs).sum(axis=axis, keepdims=True)
    return logs - np.log(total)


def _fill_empty(parts: list[Indices]) -> list[Indices]:
    sizes = np.array([len(part) for part in parts])
    for empty in np.flatnonzero(sizes == 0):
        donor = int(sizes.argmax())
        assert sizes[donor] > 1, "there are as many examples as clients"
        parts[empty], parts[donor] = parts[donor][-1:], parts[donor][:-1]
        sizes[empty], sizes[donor] = 1, sizes[donor] - 1
    return parts

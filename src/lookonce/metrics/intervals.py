"""95 % intervals: Wilson's for proportions, a seeded bootstrap over patients for means and ratios.

Scans of one patient, and discs of one scan, resemble each other, so whole patients are drawn, never discs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lookonce.geometry import FloatArray

Interval = tuple[float, float]

RESAMPLES = 2000


def wilson(successes: int, trials: int, *, confidence: float = 0.95) -> Interval | None:
    """Score interval of a proportion (Wilson, J. Am. Stat. Assoc. 1927); None without trials.

    Raises
    ------
    ValueError
        If `successes` does not lie between 0 and `trials`.

    Examples
    --------
    >>> low, high = wilson(8, 10)
    >>> round(low, 4), round(high, 4)
    (0.4902, 0.9433)
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"successes={successes} does not lie between 0 and trials={trials}")
    if not trials:
        return None
    z = float(NormalDist().inv_cdf(0.5 + confidence / 2))
    share, weight = successes / trials, z * z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * np.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    # Rounding must not push the bound past the share itself when it is 0 or 1.
    low = 0.0 if successes == 0 else max(0.0, float(centre - half))
    high = 1.0 if successes == trials else min(1.0, float(centre + half))
    return low, high


def bootstrap_ratio(
    numerators: Sequence[float],
    denominators: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Percentile interval of ``sum(numerators) / sum(denominators)`` when whole clusters are drawn with replacement.

    Parameters
    ----------
    numerators, denominators : (N,) sequences
        One entry a scan: such as errors and true discs, or summed distances and found discs.
    clusters : (N,) sequence
        The patient of each scan.
    confidence : float
    resamples : int
    seed : int

    Returns
    -------
    (low, high), or None
        None with fewer than two clusters (one patient says nothing about others) or where the ratio is undefined.
    """
    groups = _members(clusters)
    tops = np.array([sum(numerators[i] for i in members) for members in groups])
    bottoms = np.array([sum(denominators[i] for i in members) for members in groups])
    if len(groups) < 2 or not bottoms.sum():
        return None
    drawn = np.random.default_rng(seed).multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=resamples)
    below = drawn @ bottoms
    return _percentiles((drawn @ tops)[below > 0] / below[below > 0], confidence)


def rate_interval(
    events: Sequence[int], trials: Sequence[int], clusters: Sequence[Hashable], *, seed: int = 0
) -> Interval | None:
    """95 % interval of a rate of events per trial, by `bootstrap_ratio`, or by Wilson over patients at 0 and at 1.

    When no patient shows an event, or every trial of all patients is one, redrawing them cannot show any spread; the
    interval of "0 of K patients" (or "K of K") then bounds what a next patient may bring.
    """
    pairs = list(zip(events, trials, strict=True))
    none, every = not any(events), all(count == of for count, of in pairs)
    if (none or every) and any(trials):
        patients = len(set(clusters))
        return wilson(0 if none else patients, patients)
    return bootstrap_ratio(events, trials, clusters, seed=seed)


def bootstrap_statistic(
    samples: Sequence[Sequence[float] | Sequence[tuple[float, ...]]],
    clusters: Sequence[Hashable],
    statistic: Callable[[FloatArray], float],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Percentile interval of a statistic of all values, such as their median, when whole clusters are redrawn.

    Parameters
    ----------
    samples : (N,) sequence of sequences
        The values of each scan: numbers, or rows of numbers.
    clusters : (N,) sequence
        The patient of each scan.
    statistic : callable
        Takes all values of a draw, one a row; draws for which it is NaN are left out.
    confidence : float
    resamples : int
    seed : int

    Returns
    -------
    (low, high), or None
        None with fewer than two clusters that have values, or where no draw defines the statistic.
    """
    arrays = [np.asarray(values, dtype=np.float64) for values in samples]
    pools = [np.concatenate([arrays[i] for i in members]) for members in _members(clusters)]
    pools = [pool for pool in pools if pool.size]
    if len(pools) < 2:
        return None
    draws = np.random.default_rng(seed).integers(len(pools), size=(resamples, len(pools)))
    values = np.array([statistic(np.concatenate([pools[i] for i in draw])) for draw in draws])
    defined = values[np.isfinite(values)]
    return _percentiles(defined, confidence) if len(defined) else None


def _members(clusters: Sequence[Hashable]) -> list[list[int]]:
    """Indices of the entries of each cluster, clusters in the order of their first entry."""
    members: dict[Hashable, list[int]] = {}
    for index, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(index)
    return list(members.values())


def _percentiles(values: NDArray[np.float64], confidence: float) -> Interval:
    low, high = np.quantile(values, ((1 - confidence) / 2, (1 + confidence) / 2))
    return float(low), float(high)

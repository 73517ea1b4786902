"""Points to learn to look once from: true discs among false ones, as arXiv 2204.02943, section 3.1, makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.utils.data import Dataset

from lookonce.datasets.skeletons import PAPER_JOINTS
from lookonce.geometry import FloatArray

#: Draws per wanted false point, and rounds of them, each from clouds that are wider by half.
DRAWS, ROUNDS = 20, 12


class Noise(BaseModel):
    """How false points are made: lengths in pixels of a square picture, which are millimetres on average.

    Attributes
    ----------
    size
        Of the picture.
    points
        True and false ones together.
    cloud
        Size of the Gaussian clouds around true discs that false points are drawn from, times a random covariance.
    jitter
        Standard deviation of a true point.
    from_discs, from_false
        Least distance of a false point from every disc and from the other false ones, as shares of the picture.
    bend
        Standard deviation, degrees, of a change of the spine's direction from one joint to the next: real necks turn by
        up to 20 degrees at C6/C7, simulated ones by 5.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: float = Field(default=256.0, gt=0)
    points: int = Field(default=20, gt=1)
    cloud: float = Field(default=35.0, gt=0)
    jitter: float = Field(default=1.0, ge=0)
    from_discs: float = Field(default=0.07, ge=0)
    from_false: float = Field(default=0.06, ge=0)
    bend: float = Field(default=0.0, ge=0)


@dataclass(frozen=True)
class PointSet:
    """Points in random order.

    Attributes
    ----------
    points : (N, 2) array
        Row and column, pixels.
    true : (N,) bool array
        Which are discs.
    joint : (N,) int array
        Joint of the skeleton that a point is, or that its cloud surrounds: whose heat map would show it.
    """

    points: FloatArray
    true: NDArray[np.bool_]
    joint: NDArray[np.intp]


class PointStream(Dataset[dict[str, Tensor]]):
    """Batches of point sets; batch i of a run depends on the seed and i alone.

    Parameters
    ----------
    sources : sequence of (list of (J, 2) arrays, weight)
        Skeletons in mm, and the share of the sets that they give.
    noise : Noise
    any_region : float
        Share of batches with discs of any region of the spine and any number of points; the others are the papers'
        pictures, from the brain to T4/T5.
    batch_size, seed, start, length
        The stream is the batches ``start .. start + length`` of the run with that seed.
    """

    def __init__(
        self,
        sources: Sequence[tuple[list[FloatArray], float]],
        *,
        noise: Noise,
        any_region: float,
        batch_size: int,
        seed: int,
        start: int,
        length: int,
    ) -> None:
        weights = np.array([weight for _, weight in sources])
        self.pools = [pool for pool, _ in sources]
        self.papers = [[index for index, one in enumerate(pool) if _shows_paper(one)] for pool in self.pools]
        self.shares = weights / weights.sum()
        self.paper_shares = weights * [len(pool) > 0 for pool in self.papers]
        self.noise, self.any_region, self.batch_size = noise, any_region, batch_size
        self.seed, self.start, self.length = seed, start, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Points (B, N, 2) float32 in pixels and which are true (B, N) float32, 0 or 1."""
        if not 0 <= index < self.length:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, self.start + index])
        if rng.random() < self.any_region or not self.paper_shares.any():
            noise = self.noise.model_copy(update={"points": round(np.exp(rng.uniform(np.log(4), np.log(60))))})
            sets = [self._any_set(noise, rng) for _ in range(self.batch_size)]
        else:
            sets = [self._paper_set(rng) for _ in range(self.batch_size)]
        return {
            "points": torch.from_numpy(np.stack([one.points for one in sets]).astype(np.float32)),
            "true": torch.from_numpy(np.stack([one.true for one in sets]).astype(np.float32)),
        }

    def _any_set(self, noise: Noise, rng: np.random.Generator) -> PointSet:
        pool = self.pools[rng.choice(len(self.pools), p=self.shares)]
        places, joints = any_view(pool[rng.integers(len(pool))], noise, rng)
        return among_false_points(places, joints, noise, rng, bounded=False)

    def _paper_set(self, rng: np.random.Generator) -> PointSet:
        source = rng.choice(len(self.pools), p=self.paper_shares / self.paper_shares.sum())
        skeleton = self.pools[source][rng.choice(self.papers[source])]
        return among_false_points(*paper_view(skeleton, self.noise, rng), self.noise, rng)


def paper_view(skeleton: FloatArray, noise: Noise, rng: np.random.Generator) -> tuple[FloatArray, NDArray[np.intp]]:
    """The joints of the papers (C1/C2 to T4/T5) in a picture from the brain down: places (N, 2) in pixels, joints (N,).

    Those that are unknown or lie outside the picture are left out.
    """
    places = _varied(skeleton[:PAPER_JOINTS], rng, noise.bend)
    corner = np.array([np.nanmin(places[:, 0]), np.nanmean(places[:, 1])])
    places = places - corner + np.array([rng.uniform(0.2, 0.45), 0.5]) * noise.size
    inside = ((places >= 0) & (places < noise.size)).all(axis=1)
    return places[inside], np.flatnonzero(inside)


def any_view(skeleton: FloatArray, noise: Noise, rng: np.random.Generator) -> tuple[FloatArray, NDArray[np.intp]]:
    """Known neighbouring joints of any region, three to as many as there are points: places (N, 2), joints (N,)."""
    places = _varied(skeleton, rng, noise.bend)
    known = np.flatnonzero(np.isfinite(places).all(axis=1))
    highest = min(noise.points, len(known))
    count = int(rng.integers(min(3, highest), highest + 1))
    first = int(rng.integers(len(known) - count + 1))
    joints = known[first : first + count]
    return places[joints], joints


def among_false_points(
    places: FloatArray, joints: NDArray[np.intp], noise: Noise, rng: np.random.Generator, *, bounded: bool = True
) -> PointSet:
    """True points of a view, jittered, among so many false ones that there are `noise.points`.

    Parameters
    ----------
    places : (N, 2) array
        True discs, pixels.
    joints : (N,) int array
    noise : Noise
    rng : numpy.random.Generator
    bounded : bool
        Keep false points inside the picture.

    Raises
    ------
    ValueError
        If there is no room for them all.
    """
    wanted = max(noise.points - len(places), 0)
    false, clouds = np.zeros((0, 2)), np.zeros(0, dtype=np.intp)
    for round_number in range(ROUNDS):
        if len(false) == wanted:
            break
        drawn, cloud = _drawn_around(places, wanted, noise, noise.cloud * 1.5**round_number, rng, bounded)
        for point, around in zip(drawn, cloud, strict=True):
            apart = np.linalg.norm(false - point, axis=1) >= noise.from_false * noise.size
            if len(false) < wanted and apart.all():
                false, clouds = np.vstack([false, point]), np.append(clouds, joints[around])
    if len(false) < wanted:
        raise ValueError(f"no room for {wanted} false points in a picture of {noise.size:g} pixels")
    points = np.concatenate([places + rng.normal(0, noise.jitter, places.shape), false])
    order = rng.permutation(len(points))
    true = np.arange(len(points)) < len(places)
    return PointSet(points[order], true[order], np.concatenate([joints, clouds])[order])


def _drawn_around(
    places: FloatArray, wanted: int, noise: Noise, cloud_size: float, rng: np.random.Generator, bounded: bool
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Points from clouds around true discs that are clear of all discs, and whose cloud each is of."""
    roots = rng.uniform(-1, 1, (len(places), 2, 2))  # a random covariance is a random matrix times its transpose
    cloud = rng.integers(len(places), size=DRAWS * wanted)
    drawn = places[cloud] + cloud_size * np.einsum("nij,nj->ni", roots[cloud], rng.normal(size=(len(cloud), 2)))
    clear = np.linalg.norm(drawn[:, None] - places, axis=2).min(axis=1) >= noise.from_discs * noise.size
    if bounded:
        clear &= ((drawn >= 0) & (drawn < noise.size)).all(axis=1)
    return drawn[clear], cloud[clear]


def _shows_paper(skeleton: FloatArray) -> bool:
    """Whether enough of the papers' joints are known for their picture."""
    return int(np.isfinite(skeleton[:PAPER_JOINTS]).all(axis=1).sum()) >= PAPER_JOINTS // 2


def _varied(skeleton: FloatArray, rng: np.random.Generator, bend: float) -> FloatArray:
    """A skeleton turned, stretched and bent (degrees from joint to joint) as people and pictures differ."""
    angle = rng.normal(0, np.deg2rad(6))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    varied = np.asarray(skeleton @ turn * np.exp(rng.normal(0, 0.08)) * np.exp(rng.normal(0, 0.04, 2)))
    if bend:
        direction = np.cumsum(rng.normal(0, np.deg2rad(bend), len(varied)))
        aside = np.cumsum(direction - direction.mean()) * np.nanmean(np.diff(varied[:, 0]))
        varied[:, 1] += aside - aside.mean()
    return varied

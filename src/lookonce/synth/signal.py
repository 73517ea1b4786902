"""Signal equations: what each tissue measures under a pulse sequence.

Spin echo, inversion recovery and spoiled gradient echo (Ernst) in their textbook steady states; a sequence's
timings are drawn from clinical ranges. Fat and water of one tissue add up in magnitude. In fast spin echoes fat is
brighter than its T2 tells (J-coupling; Henkelman et al., JMRI 4 (1994) 533-540), hence `FAST_ECHO_FAT_T2`.
"""

import numpy as np

from lookonce.synth.curve import FloatArray
from lookonce.synth.tissues import Tissue, property_table

CONTRASTS = ("t1", "t2", "pd", "stir", "gre", "random-tissue", "dixon")
SHARES = (0.22, 0.34, 0.06, 0.1, 0.1, 0.18, 0.0)
"""How often each contrast is drawn where any may come; dixon only when asked for: the simulated benchmark is older."""
FAT_T1 = (290.0, 370.0)
FAST_ECHO_FAT_T2 = 160.0
FAT_T2_STAR = 35.0
DRIVEN_EQUILIBRIUM = (1.1, 2.2)
"""Gain of fluid in T2-weighted fast spin echoes with a restore pulse, which most spine protocols use."""


def draw_signals(rng: np.random.Generator, contrast: str) -> FloatArray:
    """Draw the intensity of every tissue for one scan.

    Parameters
    ----------
    rng : numpy.random.Generator
    contrast : str
        One of `CONTRASTS`.

    Returns
    -------
    (T,) float32 array
        Non-negative intensity by `Tissue` value, the brightest about 1.

    Raises
    ------
    ValueError
        If the contrast is unknown.
    """
    if contrast not in CONTRASTS:
        raise ValueError(f"contrast={contrast!r} is not one of {', '.join(CONTRASTS)}")
    if contrast == "random-tissue":
        return _random_signals(rng)
    field = int(rng.random() < 0.5)
    signals = _SEQUENCES[contrast](rng, field)
    signals = signals * np.exp(rng.normal(0, 0.13, len(Tissue)))
    if contrast == "t2":
        signals[Tissue.CSF] *= rng.uniform(*DRIVEN_EQUILIBRIUM)
    signals = _flow(rng, signals, contrast)
    return (signals / np.max(signals)).astype(np.float32)


def _t1(rng: np.random.Generator, field: int) -> FloatArray:
    if rng.random() < 0.3:
        return _gradient_echo(
            rng, field, rng.uniform(6, 12), rng.uniform(2, 5), rng.uniform(9, 25), fat_kept=rng.choice([1.0, 0.1])
        )
    return _spin_echo(rng, field, rng.uniform(380, 850), rng.uniform(7, 16))


def _t2(rng: np.random.Generator, field: int) -> FloatArray:
    fat_kept = 1.0 if rng.random() < 0.85 else rng.uniform(0, 0.3)
    return _spin_echo(rng, field, rng.uniform(2200, 6000), rng.uniform(70, 140), fat_kept=fat_kept)


def _pd(rng: np.random.Generator, field: int) -> FloatArray:
    return _spin_echo(rng, field, rng.uniform(1500, 4000), rng.uniform(10, 40), fat_kept=rng.choice([1.0, 1.0, 0.2]))


def _stir(rng: np.random.Generator, field: int) -> FloatArray:
    null = FAT_T1[field] * np.log(2) * rng.uniform(0.9, 1.08)
    return _spin_echo(rng, field, rng.uniform(2800, 6000), rng.uniform(25, 85), inversion=null)


def _gre(rng: np.random.Generator, field: int) -> FloatArray:
    water_only = rng.random() < 0.5
    long = rng.random() < 0.4
    repeat = rng.uniform(300, 800) if long else rng.uniform(6, 30)
    echo = rng.uniform(8, 22) if long else rng.uniform(2, 7)
    return _gradient_echo(
        rng, field, repeat, echo, rng.uniform(5, 35), fat_kept=rng.uniform(0, 0.12) if water_only else 1.0
    )


def _dixon(rng: np.random.Generator, field: int) -> FloatArray:
    """Water image of a fast gradient echo.

    Echoes are so short that the annulus keeps signal and the whole disc is bright; where the steady state is not quite
    spoiled, long T2 comes in and fluid is bright too.
    """
    signals = _gradient_echo(
        rng, field, rng.uniform(5, 15), rng.uniform(1.2, 5), rng.uniform(4, 20), fat_kept=rng.uniform(0, 0.08)
    )
    signals[[Tissue.CSF, Tissue.FLUID]] *= np.exp(rng.uniform(0, np.log(6)))
    signals[Tissue.NUCLEUS] *= rng.uniform(1, 1.6)
    bright = rng.uniform(0.2, 0.95)
    signals[Tissue.ANNULUS] += bright * (signals[Tissue.NUCLEUS] - signals[Tissue.ANNULUS])
    return signals


_SEQUENCES = {"t1": _t1, "t2": _t2, "pd": _pd, "stir": _stir, "gre": _gre, "dixon": _dixon}


def _spin_echo(
    rng: np.random.Generator,
    field: int,
    repeat: float,
    echo: float,
    *,
    inversion: float | None = None,
    fat_kept: float = 1.0,
) -> FloatArray:
    """|M| of a (inversion-prepared) fast spin echo; times in ms."""

    def magnitude(t1: FloatArray, t2: FloatArray) -> FloatArray:
        recovered = 1 - np.exp(-repeat / t1)
        if inversion is not None:
            recovered = np.abs(1 - 2 * np.exp(-inversion / t1) + np.exp(-repeat / t1))
        return recovered * np.exp(-echo / t2)

    water = magnitude(property_table("t1")[:, field], property_table("t2")[:, field])
    fat = fat_kept * magnitude(np.array(FAT_T1[field]), np.array(FAST_ECHO_FAT_T2 * rng.uniform(0.7, 1.3)))
    return _mix(rng, water, fat)


def _gradient_echo(
    rng: np.random.Generator, field: int, repeat: float, echo: float, flip: float, *, fat_kept: float
) -> FloatArray:
    """|M| of a spoiled gradient echo with flip angle in degrees; times in ms."""

    def magnitude(t1: FloatArray, t2_star: FloatArray) -> FloatArray:
        left = np.exp(-repeat / t1)
        angle = np.radians(flip)
        return np.sin(angle) * (1 - left) / (1 - np.cos(angle) * left) * np.exp(-echo / t2_star)

    shorter = 1.0 if field == 0 else 0.75
    water = magnitude(property_table("t1")[:, field], property_table("t2_star") * shorter)
    fat = fat_kept * magnitude(np.array(FAT_T1[field]), np.array(FAT_T2_STAR * shorter))
    return _mix(rng, water, fat)


def _mix(rng: np.random.Generator, water: FloatArray, fat: FloatArray) -> FloatArray:
    share = property_table("fat")
    share[[Tissue.MARROW, Tissue.FATTY_MARROW]] += rng.uniform(-0.25, 0.2)
    return property_table("density") * ((1 - share) * water + share * fat)


def _flow(rng: np.random.Generator, signals: FloatArray, contrast: str) -> FloatArray:
    """Moving blood is dark in spin echoes and anything in gradient echoes; the cord's fluid pulsates a little."""
    if contrast in ("gre", "dixon"):
        signals[Tissue.BLOOD] *= rng.uniform(0.5, 2.0)
    else:
        signals[Tissue.BLOOD] *= rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.2, 1.0)], p=[0.75, 0.25])
    signals[Tissue.CSF] *= rng.uniform(0.75, 1.0)
    return signals


def _random_signals(rng: np.random.Generator) -> FloatArray:
    """Any intensity for any tissue; air and cortex mostly stay dark, kinds of marrow and of fat stay alike."""
    signals = rng.uniform(0.06, 1.0, len(Tissue))
    near = rng.normal(0, 0.08, 4)
    signals[Tissue.FATTY_MARROW] = signals[Tissue.MARROW] + near[0]
    signals[Tissue.EPIDURAL_FAT] = signals[Tissue.FAT] + near[1]
    signals[Tissue.GRISTLE] = (signals[Tissue.FAT] + signals[Tissue.LIGAMENT]) / 2
    if rng.random() < 0.7:
        signals[Tissue.NERVE] = signals[Tissue.CORD] + near[2]
        signals[Tissue.CSF] = np.clip(signals[Tissue.CORD] + rng.choice([-1, 1]) * rng.uniform(0.2, 0.7), 0.03, 1)
    if rng.random() < 0.85:
        signals[[Tissue.CORTEX, Tissue.LIGAMENT]] *= rng.uniform(0.05, 0.4)
        signals[Tissue.LUNG] *= 0.2
    signals[Tissue.AIR] = 0.0 if rng.random() < 0.85 else rng.uniform(0, 0.25)
    return np.clip(signals, 0, 1).astype(np.float32)

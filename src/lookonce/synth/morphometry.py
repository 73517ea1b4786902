"""Sizes of the adult spine, from the skull to the coccyx.

The numbers are rounded and smoothed over neighbouring levels; they are means of adults, to be scaled at random.

- Vertebral body heights and depths, canal diameters, spinous process lengths: Panjabi et al., Spine 16 (1991)
  861-869 (cervical) and 888-901 (thoracic), Spine 17 (1992) 299-306 (lumbar). Thoracic and lumbar heights are
  raised a few per cent towards Busscher et al., Eur Spine J 19 (2010) 1104-1114, who measured larger subjects.
- Disc heights: Gilad and Nissan, Spine 11 (1986) 154-157 (cervical, lumbar); Busscher et al. 2010 (thoracic).
- Cord diameters: rounded from Frostell et al., Front Neurol 7 (2016) 238. The conus ends near L1/L2,
  the thecal sac near S2.
- Sacrum, coccyx and all widths far from the mid-line: estimates by eye from textbook figures.
"""

from dataclasses import dataclass

SACRAL_BODIES = 5
COCCYGEAL_BODIES = 3


@dataclass(frozen=True)
class VertebraSize:
    """Mean size of one vertebra and of the disc below it, millimetres.

    Attributes
    ----------
    name : str
        C2 ... C7, T1 ... T12, L1 ... L5, S1 ... S5, Co1 ... Co3.
    height : float
        Posterior height of the body (C2: from the base of the dens to the C2/C3 disc).
    depth : float
        Antero-posterior length of the body at its lower end plate.
    half_width : float
        Half the left-right width of the body.
    canal : float
        Antero-posterior diameter of the bony canal behind the body.
    canal_half_width : float
        Half the left-right width of the canal.
    cord : float
        Antero-posterior diameter of the cord, 0 below the conus.
    process : float
        Length of the spinous process behind the canal.
    process_half_height : float
        Half the cranio-caudal height of the spinous process.
    process_slope : float
        Caudal descent of the process per millimetre of its length.
    disc : float
        Height of the disc below the body.
    angle : float
        Mean direction of the posterior wall, degrees; positive: its lower end lies further back.
    """

    name: str
    height: float
    depth: float
    half_width: float
    canal: float
    canal_half_width: float
    cord: float
    process: float
    process_half_height: float
    process_slope: float
    disc: float
    angle: float


_ROWS = (
    # name  height depth half_w canal c_half cord proc  p_half slope disc angle
    ("C2", 15.0, 15.0, 9.0, 17.5, 12.0, 8.0, 22.0, 6.5, 0.25, 5.0, -3),
    ("C3", 13.0, 15.5, 9.0, 15.5, 12.0, 7.8, 15.0, 3.8, 0.35, 5.4, 0),
    ("C4", 12.4, 15.5, 9.5, 15.0, 12.0, 7.8, 15.0, 3.8, 0.4, 5.2, 4),
    ("C5", 11.8, 15.5, 10.0, 15.0, 12.2, 7.8, 17.0, 3.8, 0.45, 5.0, 9),
    ("C6", 11.9, 16.0, 11.0, 15.0, 12.2, 7.4, 23.0, 4.2, 0.5, 5.2, 15),
    ("C7", 13.2, 16.5, 12.5, 15.0, 12.0, 7.0, 31.0, 5.0, 0.5, 5.0, 21),
    ("T1", 16.2, 16.5, 14.0, 15.5, 11.0, 6.6, 33.0, 5.0, 0.55, 4.6, 24),
    ("T2", 17.0, 17.5, 14.0, 15.5, 9.5, 6.4, 32.0, 4.8, 0.7, 4.5, 24),
    ("T3", 17.5, 19.0, 13.5, 15.8, 8.8, 6.2, 32.0, 4.5, 0.85, 4.5, 20),
    ("T4", 18.2, 20.5, 13.5, 16.0, 8.5, 6.2, 32.0, 4.3, 1.0, 4.6, 15),
    ("T5", 18.9, 22.0, 13.8, 16.0, 8.5, 6.2, 33.0, 4.2, 1.15, 4.8, 10),
    ("T6", 19.5, 23.5, 14.2, 16.0, 8.5, 6.2, 33.0, 4.2, 1.25, 5.0, 6),
    ("T7", 20.0, 25.0, 14.8, 16.0, 8.5, 6.2, 33.0, 4.4, 1.2, 5.2, 1),
    ("T8", 20.6, 26.0, 15.4, 16.0, 8.5, 6.3, 32.0, 4.8, 1.1, 5.4, -3),
    ("T9", 21.4, 27.0, 16.0, 16.0, 8.6, 6.5, 31.0, 5.4, 0.9, 5.8, -6),
    ("T10", 22.3, 28.0, 16.8, 16.0, 8.8, 7.0, 29.0, 6.2, 0.65, 6.3, -9),
    ("T11", 23.3, 29.0, 18.0, 16.5, 9.5, 7.8, 27.0, 7.5, 0.4, 6.9, -12),
    ("T12", 24.6, 30.0, 20.0, 17.5, 10.8, 8.2, 27.0, 8.5, 0.25, 7.6, -13),
    ("L1", 26.0, 31.0, 21.0, 18.0, 11.5, 6.5, 30.0, 9.5, 0.15, 8.6, -13),
    ("L2", 26.2, 32.0, 22.0, 17.5, 11.8, 0.0, 31.0, 10.5, 0.12, 9.6, -10),
    ("L3", 25.4, 33.5, 23.0, 17.0, 12.0, 0.0, 32.0, 11.0, 0.1, 10.2, -4),
    ("L4", 24.2, 34.5, 24.0, 17.0, 12.5, 0.0, 29.0, 10.0, 0.1, 10.2, 6),
    ("L5", 22.0, 34.5, 25.5, 17.0, 13.5, 0.0, 23.0, 7.5, 0.15, 9.0, 22),
    ("S1", 28.0, 24.0, 26.0, 14.5, 14.0, 0.0, 13.0, 6.0, 0.3, 3.2, 43),
    ("S2", 23.5, 17.0, 22.0, 10.5, 12.0, 0.0, 10.0, 5.5, 0.2, 2.0, 37),
    ("S3", 19.5, 12.5, 18.0, 7.5, 9.0, 0.0, 7.0, 4.5, 0.1, 1.5, 16),
    ("S4", 16.5, 9.5, 14.0, 5.0, 7.0, 0.0, 4.0, 4.0, 0.0, 1.2, -10),
    ("S5", 14.0, 7.5, 10.0, 3.0, 5.0, 0.0, 2.0, 3.0, 0.0, 2.0, -28),
    ("Co1", 9.5, 6.5, 8.0, 0.5, 2.0, 0.0, 0.0, 1.0, 0.0, 1.6, -42),
    ("Co2", 7.5, 5.5, 6.0, 0.3, 2.0, 0.0, 0.0, 1.0, 0.0, 1.4, -55),
    ("Co3", 6.0, 4.5, 5.0, 0.3, 2.0, 0.0, 0.0, 1.0, 0.0, 1.0, -65),
)

VERTEBRAE: tuple[VertebraSize, ...] = tuple(VertebraSize(*row) for row in _ROWS)
"""C2 to Co3 from top to bottom, 12 thoracic and 5 lumbar. A spine with other counts is another tuple of this kind."""

DENS_HEIGHT = 16.0
"""From the base of the dens (SCT level 2) to its tip (SCT level 1), millimetres."""
DENS_DEPTH = 11.0
SACRUM_TOP_DEPTH = 33.5
"""Depth of the upper end plate of S1: the sacrum is a wedge, its top is as deep as L5."""

"""One simulated person: everything random about the anatomy, and the order in which it is painted."""

from dataclasses import dataclass

import numpy as np

from lookonce.anatomy import VertebraCount
from lookonce.synth.arches import paint_arches
from lookonce.synth.canal import CanalLook, draw_canal_look, paint_canal
from lookonce.synth.column import Marks, draw_marks, paint_column
from lookonce.synth.draw_spine import random_spine
from lookonce.synth.geometry import Spine
from lookonce.synth.head import Head, draw_head, paint_head
from lookonce.synth.sheet import Sheet
from lookonce.synth.surroundings import Surroundings, draw_surroundings, paint_surroundings
from lookonce.synth.variants import draw_count


@dataclass(frozen=True)
class Person:
    """A spine, its findings and what lies around it."""

    spine: Spine
    marks: Marks
    canal: CanalLook
    around: Surroundings
    head: Head


def draw_person(rng: np.random.Generator, count: VertebraCount | None = None) -> Person:
    """Draw a person.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : VertebraCount, optional
        How many vertebrae; drawn by default, with the shares of `anatomy.VARIANT_SHARES`.

    Returns
    -------
    Person
    """
    spine = random_spine(rng, draw_count(rng) if count is None else count)
    marks = draw_marks(rng, spine)
    return Person(spine, marks, draw_canal_look(rng), draw_surroundings(rng, spine), draw_head(rng, spine))


def paint_person(sheet: Sheet, person: Person) -> None:
    """Paint a person on a blank sheet, from the outside to the discs.

    Parameters
    ----------
    sheet : Sheet
        Changed in place: its image and label map.
    person : Person
    """
    spine, marks = person.spine, person.marks
    paint_surroundings(sheet, spine, person.around)
    paint_head(sheet, spine, person.head)
    paint_arches(sheet, spine, person.around.muscle_fat + 0.15, marks.cortex)
    paint_canal(sheet, spine, person.canal)
    paint_column(sheet, spine, marks)

"""Choices read from bytes, so that one generator serves a seeded random as well as hypothesis, which shrinks bytes."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Each choice takes one byte. Zero, also beyond the end, picks the first: what is shrunk is plain."""

    def __init__(self, faces: bytes) -> None:
        self._faces = iter(faces)

    def pick(self, options: Sequence[T]) -> T:
        return options[next(self._faces, 0) % len(options)]

    def happens(self, chance: float) -> bool:
        return next(self._faces, 0) >= 256 * (1 - chance)

"""Some of many values in ascending order: as many as a median and its interval need, with their places."""

from collections.abc import Iterable, Sequence
from typing import overload


class OrderStatistics(Sequence[float]):
    """The *n* values of a sample in ascending order, of which some are known: slices of it, each with its place.

    Places count from 0. Whoever asks for a value that is not known gets a LookupError: the query has to bring it.
    """

    def __init__(self, n: int, slices: Iterable[tuple[int, Sequence[float]]]) -> None:
        self._n = n
        self._known = {first + offset: value for first, values in slices for offset, value in enumerate(values)}

    def __len__(self) -> int:
        """Return how many values there are, known or not."""
        return self._n

    @overload
    def __getitem__(self, place: int) -> float: ...

    @overload
    def __getitem__(self, place: slice) -> list[float]: ...

    def __getitem__(self, place: int | slice) -> float | list[float]:
        """Return the value at a place."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(self._n))]
        if not -self._n <= place < self._n:
            raise IndexError(place)
        try:
            return self._known[place % self._n]
        except KeyError:
            raise LookupError(f"the value at {place} of {self._n} is not known") from None

"""What pictures and tables ask of an estimate, wherever it comes from."""

from typing import Protocol


class Interval(Protocol):
    """A value with its 95 % interval."""

    @property
    def value(self) -> float:
        """The estimate."""

    @property
    def low(self) -> float:
        """Lower end."""

    @property
    def high(self) -> float:
        """Upper end."""

"""How much of the data lies outside the range that is shown."""

import logging
from typing import Any

import numpy as np

from ood_diffusion.checks import require
from ood_diffusion.domains.arrays.scale import Scale
from ood_diffusion.domains.arrays.source import Map

log = logging.getLogger(__name__)


class Census:
    """Counts of values below, inside and above the range of a scale."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.values = self.below = self.above = 0
        self.least, self.most = np.inf, -np.inf

    def add(self, content: Map) -> None:
        """Count one map of finite values."""
        self.values += content.size
        self.below += int((content < self.scale.low).sum())
        self.above += int((content > self.scale.high).sum())
        self.least, self.most = min(self.least, content.min()), max(self.most, content.max())

    def record(self) -> dict[str, Any]:
        """Both ranges and the counts."""
        return {
            "range": [self.scale.low, self.scale.high],
            "data_range": [float(self.least), float(self.most)],
            "values": {"all": self.values, "below": self.below, "above": self.above},
        }

    def report(self) -> None:
        """Log which share is clipped, if any.

        Raises:
            UserError: if all values lie outside: the range was stated in another unit.
        """
        low, high, outside = self.scale.low, self.scale.high, self.below + self.above
        require(
            outside < self.values,
            "domain.low and domain.high must enclose values of the data",
            f"{low:g} to {high:g}, while the data go from {self.least:g} to {self.most:g}",
            "Give them in the unit of the data.",
        )
        if outside:
            log.warning(
                "Clipped values: %.3g %% lie below domain.low=%g and %.3g %% above domain.high=%g.",
                100 * self.below / self.values,
                low,
                100 * self.above / self.values,
                high,
            )

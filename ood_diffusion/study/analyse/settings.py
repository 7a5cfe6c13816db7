"""Settings of the stage analyse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ood_diffusion.checks import require, require_integer, require_positive
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.study.analyse.verdict import STATISTICS

FEWEST = 8
"""Latents that the tests of normality need."""

FEWEST_DRAWS = 40
"""Of a null: with fewer, less than one is expected below its 2.5th percentile."""


@dataclass(frozen=True)
class AnalyseSettings:
    """What is measured, and the limits by which it is judged.

    Args:
        solvers: name -> solver of the round trips, beside the run's own.
        n_round_trip: images of each domain per solver and number of steps, at most.
        round_trip_steps: numbers of steps each way.
        min_retrieval: share in (0, 1) of reconstructions that are nearest to their own original.
        max_snr_loss: dB of signal-to-noise ratio by which round trips of the unseen domain may be worse than
            those of the training domain.
        n_latents: images of each domain whose latents are described, at most.
        levels: where, none above the schedule's top; the run's own level and the top are added.
        steps: solver steps from the image to the top.
        n_null: draws from the null of the tests of normality, at least 40.
        bands: statistic of `statistics.gaussianity` -> what still counts as approximately Gaussian.
        angle_band: degrees around 90 for the mean angle at the origin.
        max_vertex_deviation: root mean square deviation of triangles' angles from 60°, in degrees.
        max_norm_spread: standard deviation of norms over their mean.

    Raises:
        UserError: for a value out of range.
    """

    solvers: Mapping[str, Solver]
    n_round_trip: int
    round_trip_steps: Sequence[int]
    min_retrieval: float
    max_snr_loss: float
    n_latents: int
    levels: Sequence[float]
    steps: int
    n_null: int
    bands: Mapping[str, Sequence[float]]
    angle_band: float
    max_vertex_deviation: float
    max_norm_spread: float

    def __post_init__(self) -> None:
        where, remedy = "stage.analyse", "Correct it."
        least = {"n_round_trip": 2, "n_latents": FEWEST, "steps": 1, "n_null": FEWEST_DRAWS}
        for name, lowest in least.items():
            require_integer(f"{where}.{name}", getattr(self, name), lowest, remedy)
        for name in ("round_trip_steps", "levels"):
            require(len(getattr(self, name)) > 0, f"{where}.{name} must hold a number", [], remedy)
        for steps in self.round_trip_steps:
            require_integer(f"{where}.round_trip_steps", steps, 1, remedy)
        for level in self.levels:
            require_positive(f"{where}.levels", level, remedy)
        share = self.min_retrieval
        require(0 < share < 1, f"{where}.min_retrieval must lie between 0 and 1", share, remedy)
        for name in ("max_snr_loss", "angle_band", "max_vertex_deviation", "max_norm_spread"):
            require_positive(f"{where}.{name}", getattr(self, name), remedy)
        known, given = sorted(STATISTICS), sorted(self.bands)
        require(known == given, f"{where}.bands must be given for each of {known}", given, remedy)
        for name, band in self.bands.items():
            pair = len(band) == 2 and band[0] < band[1]
            require(pair, f"{where}.bands.{name} must be a low and a high value", band, remedy)

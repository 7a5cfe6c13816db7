"""The contract of a stage: one step of a run, from this package or from a user's."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from ood_diffusion.figures import Figure
from ood_diffusion.report.plan.work import Share
from ood_diffusion.report.results import Results

if TYPE_CHECKING:
    from ood_diffusion.runs.known import Known
    from ood_diffusion.runs.run import Run

Need = Literal["images", "level", "states", "draws", "features", "metrics"]
"""images: of the domain; level: the run's own, which level=auto has to find first; states: latents that are
states of the trajectory and nothing more; draws: prior, sampler and selection; features: the extractor;
metrics: all of them, and images enough for each."""


class Stage(ABC):
    """One step of a run: settings that check themselves, and a function of the run.

    Derive a frozen dataclass; its fields are the settings in ``conf/stage/NAME.yaml``, which names it in
    `_target_`. Stages run in the order in which `conf/config.yaml` lists them, those that a user adds
    after them, and what is `last` at the end. Each is idempotent: what the stores have is not made again.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level"})
    """What must be there before anything is computed."""
    figures: ClassVar[tuple[Figure, ...]] = ()
    """What it measures, each with its place in `results.json`: declared here they are on every surface."""
    photographs: ClassVar[str] = ""
    """Why it can only look at RGB photographs: a run of other fields refuses it. Empty: it takes any."""
    last: ClassVar[bool] = False
    """Whether it comes after all stages that are not."""

    @abstractmethod
    def __call__(self, run: "Run", earlier: Results) -> Mapping[str, object]:
        """Do the work.

        Args:
            run: settings, parts and the workspace.
            earlier: what the stages before it have found, as in `results.json`.

        Returns:
            The sections that it adds to `results.json`, by name: what JSON can hold, and dataclasses, which
            are written as their fields (`report.results.as_json`). In a section "checks" is a list of
            `Check`, and "plots" one of files that the stage has written to ``run.workspace.folder``; the
            report shows both.
        """

    def declared(self, run: "Run") -> Sequence[Figure]:
        """Its `figures`, and any that depend on the run's parts."""
        return self.figures

    def check(self, run: "Run") -> None:  # noqa: B027  (most stages have nothing to add)
        """Raise `UserError` for what would only fail after compute has been spent."""

    def further_levels(self, run: "Run") -> Sequence[float]:
        """Levels of trajectories that it needs beside the run's own; each is checked before compute."""
        return ()

    def share(self, run: "Run", known: "Known") -> Share | None:
        """Its share of the plan that `dry_run=true` prints; None: its network calls are not counted.

        Args:
            run: the assembled run.
            known: what is on disk of the run's references, latents and samples.
        """
        return None

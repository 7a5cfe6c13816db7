"""What is swept, as a space: for a search and for W&B, from the command that a grid takes too."""

import math
import warnings
from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Transformer
from omegaconf import open_dict

from ood_diffusion.checks import require
from ood_diffusion.figures import Figure
from ood_diffusion.runs.swept import Swept

if TYPE_CHECKING:
    import optuna

BY_CHANCE = 5
"""Runs at the beginning of a search that are chosen by chance."""
DRAWS = 4
"""How often Optuna may propose what has been tried, each time as if it ran, before chance proposes."""

Space = Mapping[str, "optuna.distributions.BaseDistribution"]
"""Key of an override -> the values that it may have."""
Values = Mapping[str, Any]
"""Key of an override -> its value."""


class Spaced(Swept):
    """The command, as a space and the settings of all runs."""

    def parsed(self, arguments: Sequence[str]) -> tuple[dict[str, Override], list[str]]:
        """What is swept, by key, and the other words; a later word replaces one of the same key.

        Raises:
            UserError: if nothing is swept.
        """
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        found = {each.get_key_element(): each for each in parser.parse_overrides(self.words(arguments))}
        swept = {key: each for key, each in found.items() if each.is_sweep_override()}
        remedy = "Add some, such as level=300,500,700 'eta=interval(0,1)'."
        require(bool(swept), "a search and a W&B sweep need settings with several values", {}, remedy)
        return swept, [str(each.input_line) for each in found.values() if not each.is_sweep_override()]

    def objective(self, first: Sequence[str]) -> list[Figure]:
        """The figures that are the objective, from the parts of one run, assembled as for a dry run.

        Args:
            first: the overrides of that run.

        Raises:
            UserError: for settings that no run can have, or an objective that it does not measure.
        """
        from ood_diffusion.runs.configuration import GROUPS
        from ood_diffusion.runs.dry_run import assembled
        from ood_diffusion.runs.objective import chosen, declared

        cfg = self.hydra_context.config_loader.load_sweep_config(self.config, list(first))
        before = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(cfg)
        try:
            names = {group: str(cfg.hydra.runtime.choices[group]) for group in GROUPS}
            with open_dict(cfg):
                del cfg["hydra"]
            run = assembled(cfg, names, Path(self.config.hydra.sweep.dir))
        finally:
            HydraConfig.instance().cfg = before
        return chosen(cfg.objective, declared(run))


def choices(swept: Override) -> list[Any]:
    """The values of a setting that can be counted, each once: numbers, and text in Hydra's grammar.

    Raises:
        UserError: if there are none.
    """
    values = list(dict.fromkeys(swept.sweep_iterator(Transformer.encode)))
    require(bool(values), "a setting that is searched must have values", swept.input_line, "Correct it.")
    return values


def first_of(swept: Override) -> Any:
    """The first value of a setting, or the least."""
    value = swept.value()
    return value.start if isinstance(value, IntervalSweep) else choices(swept)[0]


def distribution(swept: Override) -> "optuna.distributions.BaseDistribution":
    """The values of a setting, in Optuna's words: numbers of equal distances are in order, others are not."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = swept.value()
    if isinstance(value, IntervalSweep):
        low, high, by_factors = float(value.start or 0), float(value.end or 0), "log" in value.tags
        rule = "an interval must go from a number to a larger one (by tag(log, …): from above 0)"
        require(low < high and (low > 0 or not by_factors), rule, swept.input_line, "Correct it.")
        if isinstance(value.start, int) and isinstance(value.end, int):
            return IntDistribution(value.start, value.end, log=by_factors)
        return FloatDistribution(low, high, log=by_factors)
    values = choices(swept)
    numbers: list[Any] = sorted(each for each in values if type(each) in (int, float))
    steps = {rounded(float(b - a), 6) for a, b in pairwise(numbers)}
    if len(steps) != 1 or len(numbers) < len(values):
        return CategoricalDistribution(values)
    low, high = numbers[0], numbers[-1]
    if all(isinstance(each, int) for each in numbers):
        return IntDistribution(low, high, step=int(*steps))
    return FloatDistribution(low, high, step=float(*steps))


def proposal(study: "optuna.Study", space: Space, seed: int) -> dict[str, Any] | None:
    """What the next run of a search should try, by a Gaussian process; None: nothing is left.

    It depends on the seed and on the study alone, so that a search that was interrupted goes on as if it had
    not been. Nothing is proposed twice, as the sampler would where values can be counted.

    Args:
        study: the trials so far, running ones among them.
        space: the values.
        seed: of chance.
    """
    import optuna

    tried = [each.params for each in study.trials]
    if len(tried) >= size(space):
        return None
    seed += len(tried)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler: Any = optuna.samplers.GPSampler(seed=seed, n_startup_trials=BY_CHANCE)
    draft = optuna.create_study(directions=study.directions, sampler=sampler)
    draft.add_trials(study.trials)
    for draws in count(1):
        trial = draft.ask(dict(space))
        values = {key: tidy(value, space[key]) for key, value in trial.params.items()}
        if values not in tried:
            return values
        if draws == DRAWS:
            draft.sampler = optuna.samplers.RandomSampler(seed=seed)
    raise AssertionError


def size(space: Space) -> float:
    """How many combinations there are; infinite where a number may be any of an interval."""
    from optuna.distributions import CategoricalDistribution

    def values(of: Any) -> float:
        if isinstance(of, CategoricalDistribution):
            return len(of.choices)
        return math.inf if of.step is None else round((of.high - of.low) / of.step) + 1

    return math.prod(values(each) for each in space.values())


def tidy(value: Any, of: Any) -> Any:
    """A proposed value with no more digits than anybody would type."""
    if not isinstance(value, float) or not hasattr(of, "low"):
        return value
    return min(max(rounded(value, 6 if of.step is None else 12), of.low), of.high)


def rounded(value: Any, digits: int) -> Any:
    """A number with so many significant digits."""
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def settings(fixed: Sequence[str], values: Values) -> list[str]:
    """The overrides of one run."""
    return [*fixed, *(f"{key}={text(value)}" for key, value in values.items())]


def text(value: Any) -> str:
    """A value as it stands in an override."""
    return str(value).lower() if isinstance(value, bool) else str(value)

"""`sweeper=wandb`: the file that `wandb sweep` takes, for the space of a sweep."""

from collections.abc import Mapping
from typing import Any

import yaml
from hydra.core.override_parser.types import IntervalSweep, Override

from ood_diffusion.checks import Json, require, require_choice
from ood_diffusion.report.collect.run_folder import ALONE, config_dirs
from ood_diffusion.runs.objective import names_of
from ood_diffusion.runs.space import Spaced, choices, first_of, settings

METHODS = ("grid", "random", "bayes")


class SweepFile(Spaced):
    """Prints what ``wandb sweep`` takes, and runs nothing.

    Args:
        method: "grid", "random" or "bayes", by which W&B chooses the runs.
        params: of the sweep's file.
    """

    def __init__(self, method: str, params: Mapping[str, str] | None = None) -> None:
        super().__init__(params)
        require_choice("hydra.sweeper.method", method, METHODS)
        self.method = method

    def sweep(self, arguments: list[str]) -> None:
        """Print the file.

        Raises:
            UserError: for what W&B cannot hand out.
        """
        swept, fixed = self.parsed(arguments)
        names = names_of(self.config.objective)
        require(
            len(names) == 1 or (not names and self.method != "bayes"),
            "a W&B sweep by method=bayes needs one objective, one by another method at most one",
            self.config.objective,
            "Set objective to the name of one figure.",
        )
        question = self.config.hydra.runtime.choices.get("sweep")
        given = {"project": self.config.logger.get("project"), "name": question, "method": self.method}
        found: Json = {key: value for key, value in given.items() if value}
        if names:
            first = {key: first_of(each) for key, each in swept.items()}
            (figure,) = self.objective(settings(fixed, first))
            goal = "maximize" if figure.better == "higher" else "minimize"
            found["metric"] = {"name": figure.path, "goal": goal}
        found["parameters"] = {key: self.parameter(each) for key, each in swept.items()}
        kept = [word for word in fixed if not word.startswith(("sweeper=", "objective=", "dry_run="))]
        own = config_dirs(self.config.hydra.runtime)
        command = ["${program}", *own, "${args_no_hyphens}", *kept, ALONE]
        found |= {"program": "ood-diffusion", "command": command}
        print(yaml.safe_dump(found, sort_keys=False), end="", flush=True)

    def parameter(self, swept: Override) -> dict[str, Any]:
        """The values of a setting, in W&B's words."""
        value = swept.value()
        if not isinstance(value, IntervalSweep):
            return {"values": choices(swept)}
        remedy = "Write choice(…) or range(…), or set hydra.sweeper.method=bayes."
        require(self.method != "grid", "a grid needs values that can be counted", swept.input_line, remedy)
        kind = "int_uniform" if isinstance(value.start, int) else "uniform"
        kind = "log_uniform_values" if "log" in value.tags else kind
        return {"distribution": kind, "min": value.start, "max": value.end}

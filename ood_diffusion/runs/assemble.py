"""From a composed configuration to a checked `Run`."""

import json
from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, cast

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ood_diffusion.checks import Json, UserError, require, require_integer
from ood_diffusion.controls.base import Control
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.domains.base import Domain
from ood_diffusion.fields.view import View
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.metrics.base import FeatureExtractor
from ood_diffusion.metrics.feature_metric import FeatureMetric, of_images
from ood_diffusion.models.base import OURS, FrozenModel
from ood_diffusion.models.probe import probe
from ood_diffusion.priors.base import Prior
from ood_diffusion.runs.feasible import check
from ood_diffusion.runs.images import Images
from ood_diffusion.runs.objective import chosen, declared
from ood_diffusion.runs.run import Run, named_dtype
from ood_diffusion.runs.settings import AUTO, RECOMMENDING, Settings, read_settings
from ood_diffusion.runs.stage import Stage
from ood_diffusion.runs.workspace import Workspace
from ood_diffusion.samplers.base import Sampler
from ood_diffusion.samplers.selection import Selection
from ood_diffusion.source import Recipe, targets
from ood_diffusion.storage.stores import Stores

KNOBS = tuple(Settings.__dataclass_fields__)
KEPT: dict[str, FrozenModel] = {}
"""The model of the last run of this process, by its settings as JSON."""


def assemble(
    cfg: DictConfig, names: dict[str, str], run_folder: Path, ranks: Ranks, model: FrozenModel | None = None
) -> Run:
    """Build every part of the run and check what can be checked before compute is spent.

    Args:
        cfg: the composed configuration.
        names: the choice made in each configuration group.
        run_folder: the run's own output folder.
        ranks: the processes that share the predict loops.
        model: one that is loaded, and computes in ``cfg.precision``, already; None: that of `cfg`.

    Raises:
        UserError: for settings or data that cannot work, from wherever they are found out.
    """
    settings = read_settings(cfg)
    require(isinstance(cfg.store, str), "store must name a folder", cfg.store, "Try store=outputs/store.")
    require(
        "preservation" in cfg.stages or cfg.stage.preservation.finetune is None,
        "baseline=finetune needs the stage preservation",
        list(cfg.stages),
        "Add preservation to stages.",
    )
    selection = plain(cfg.selection)
    max_proposals = selection.pop("max_proposals", None)
    require(bool(cfg.get("metric")), "metric must name at least one metric", [], "Try metric=[fid].")
    require_integer("selection.max_proposals", max_proposals, 1, "Try 100.")
    if model is None:
        model = build_model(cfg)
    probe(model)
    domain = build_domain(cfg.domain, model)
    training_domain = build_domain(cfg.training_domain, model, domain.dtype)
    fields = torch.float32 in (domain.dtype, training_domain.dtype)
    dtype = torch.float32 if fields else torch.uint8
    stores = Stores(Path(cfg.store), cfg.store_mode)
    controls = cfg.get("control") or {}
    run = Run(
        settings=settings,
        names=names,
        model=model,
        domain=domain,
        training_domain=training_domain,
        solver=build(cfg.solver, Solver),
        grid=build(cfg.grid),
        prior=build(cfg.prior, Prior),
        sampler=build(cfg.sampler, Sampler),
        selection=build(selection, Selection),
        stages=build_stages(cfg, settings),
        draw_recipe={group: with_code(plain(cfg[group])) for group in ("prior", "sampler", "selection")},
        max_proposals=max_proposals,
        controls={str(name): build(part, Control) for name, part in controls.items()},
        control_recipes={str(name): with_code(plain(part)) for name, part in controls.items()},
        dtype=dtype,
        view=build(cfg.view, View).of(domain.physical_scale),
        make_extractor=extractor_maker(cfg.extractor),
        make_metrics=of_images(
            {str(name): metric_maker(plain(part)) for name, part in cfg.metric.items()}, dtype
        ),
        workspace=Workspace(run_folder, stores, ranks),
        images=Images(
            domain,
            training_domain,
            (settings.n_references, settings.n_held_out, settings.n_training),
            stores.open("pictures", {"image_shape": list(model.image_shape), **named_dtype(dtype)}, dtype),
            ranks,
        ),
    )
    check(run)
    chosen(cfg.objective, declared(run))
    return run


def build_stages(cfg: DictConfig, settings: Settings) -> dict[str, Stage]:
    """The stages of this run in their order; with level=auto, where any stage needs a level, the one that
    recommends it is among them and the first.
    """
    found = {name: build(cfg.stage[name], Stage) for name in cfg.stage if name in cfg.stages}
    if settings.level == AUTO and any("level" in stage.needs for stage in found.values()):
        found = {RECOMMENDING: build(cfg.stage[RECOMMENDING], Stage)} | found
    return {name: found[name] for name in sorted(found, key=lambda name: found[name].last)}


def plain(part: Any) -> Json:
    """A group's settings as a dictionary, interpolations resolved."""
    return cast(Json, OmegaConf.to_container(part, resolve=True))


def with_code(part: Mapping[str, Any]) -> Recipe:
    """A part's settings, and what counts of the code that they name."""
    return {**part, "code": targets(part)}


def build_model(cfg: DictConfig) -> FrozenModel:
    """The frozen model, computing as `precision` and `compile` say."""
    model: FrozenModel = build(cfg.model, FrozenModel)
    model.factory = {name: each for name, each in targets(plain(cfg.model)).items() if "code" in each}
    ours = str(cfg.model._target_).startswith(OURS)  # and states what determines it in its recipe
    model.arguments = plain(cfg.model).get("network") if ours else plain(cfg.model)
    return model.compute_in(cfg.precision, cfg.compile)


def kept_model(cfg: DictConfig) -> FrozenModel:
    """`build_model`, once for all runs of a sweep where the settings name nothing but this package: a user's
    network may remember what it has seen.
    """
    asked = plain(cfg.model)
    settings = json.dumps([asked, cfg.precision, cfg.compile])
    if settings not in KEPT or not all(name.startswith(OURS) for name in targets(asked)):
        KEPT.clear()  # there is never memory for two
        KEPT[settings] = build_model(cfg)
    return KEPT[settings]


def metric_maker(part: Json) -> Callable[[], FeatureMetric]:
    """Builds a metric at each call, and one now, so that wrong settings are found: without Hydra, which takes
    ten times as long, where the settings name nothing but its class.
    """
    make = partial(build, part, FeatureMetric)
    make()
    if len(targets(part)) > 1:  # what is in it is built anew, too
        return make
    return cast(Callable[[], FeatureMetric], build({**part, "_partial_": True}))


def extractor_maker(part: DictConfig) -> Callable[[], FeatureExtractor]:
    """Builds the extractor at its first call: one of this package once for all runs of a sweep; anew for each
    run a user's, which may remember what it has seen.
    """
    if str(part.get("_target_")).startswith(OURS):
        return partial(kept_extractor, json.dumps(plain(part)))
    return cache(partial(build, part))


@lru_cache(maxsize=1)
def kept_extractor(settings: str) -> FeatureExtractor:
    """From its settings as JSON."""
    extractor: FeatureExtractor = build(json.loads(settings))
    return extractor


def build_domain(part: DictConfig, model: FrozenModel, dtype: torch.dtype = torch.uint8) -> Domain:
    """A domain at the size of the model's images; one whose `model` is null draws from this model, fields if
    `dtype` is float32.
    """
    dtypes = {"dtype": dtype} if dtype == torch.float32 else {}
    own = {"model": model, **dtypes} if "model" in part and part.model is None else {}
    height, width = model.image_shape[1:]
    size = height if height == width else (height, width)
    domain: Domain = build(part, Domain, image_size=size, **own)
    return domain


def build(part: Any, kind: type = object, **more: Any) -> Any:
    """Instantiate one part of the configuration; a `UserError` inside it comes through as itself.

    Lists and dictionaries in YAML arrive as plain Python.

    Raises:
        UserError: for settings that its class refuses, or if it is no `kind`.
    """
    from hydra.errors import InstantiationException

    try:
        made = instantiate(part, _convert_="all", **more)
    except TypeError as error:  # Hydra's own, about its words in a YAML
        raise UserError(f"{' '.join(str(error).split())} (in the settings of {named(part)})") from None
    except InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, UserError):
            cause = cause.__cause__
        if cause is not None:
            raise cause from None
        if isinstance(error.__cause__, TypeError):
            raise UserError(f"{error.__cause__} (in the settings of {named(part)})") from None
        raise
    got = made if made is None or isinstance(made, list | dict) else type(made).__name__
    a_part = f"a part that is a {kind.__name__}"
    require(isinstance(made, kind), f"the settings must describe {a_part}", got, "Correct its _target_.")
    return made


def named(part: Any) -> object:
    """What a message calls the settings of a part: its `_target_`, if it has one."""
    return part.get("_target_", part) if isinstance(part, Mapping) else part

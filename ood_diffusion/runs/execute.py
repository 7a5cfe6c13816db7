"""Carry out a run: its stages in order, results on disk after each, tracking around it."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities.warnings import PossibleUserWarning

from ood_diffusion.checks import Json, UserError, Void
from ood_diffusion.fields.view import judged_by
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.lightning.batch_size import measured_rate
from ood_diffusion.lightning.memory import name_of, peak_gpu_mib, peak_mib
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.optional import optional
from ood_diffusion.report.claim_words import verdicts
from ood_diffusion.report.collect.run_folder import RunFolder
from ood_diffusion.report.pictures import Pictures
from ood_diffusion.report.plan.speed import PICTURES
from ood_diffusion.report.results import SCHEMA, Coordinates, Data, Results, Used, as_json, write_json
from ood_diffusion.report.table import print_card, print_summary
from ood_diffusion.report.tracking.tracker import open_tracker
from ood_diffusion.runs.assemble import KEPT, KNOBS, assemble, build, kept_model, plain
from ood_diffusion.runs.joining import join, others_alive, together, trainer_maker
from ood_diffusion.runs.launch import started_by_cluster
from ood_diffusion.runs.objective import declared
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.settings import AUTO, RECOMMENDING, RICH
from ood_diffusion.runs.stage import Stage
from ood_diffusion.storage.store import Gone
from ood_diffusion.terminal import printing

log = logging.getLogger(__name__)

NONE = torch.empty(0, 3, 1, 1, dtype=torch.uint8)
OURS = {
    "schema",
    "command",
    "device",
    "figures",
    "coordinates",
    "data",
    "versions",
    "weights",
    "claims",
    "cost",
    "store",
    "stores",
    "tracking",
}
"""Sections of the results that no stage may take."""
GIVEN = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE")
"""Variables by which SLURM says which GPUs, or how many, a job has."""
SLOWER = 1.2
"""How many times slower than fp32 a reduced precision may be before a run says so."""
ROUNDS = 10
"""How often the stages are run at most; whatever is damaged in one store is found in one round."""
VERSIONS = ("ood-diffusion", "torch", "pytorch-lightning", "torchmetrics", "diffusers", "hydra-core", "wandb")


def execute(
    cfg: DictConfig, names: Mapping[str, str], run_folder: Path, size: int = 1, place: int = 0
) -> None:
    """Run the stages that `cfg.stages` names; results go to `run_folder`.

    Args:
        cfg: the composed configuration.
        names: the choice made in each configuration group.
        run_folder: the run's own output folder.
        size: how many ranks carry out this run; this process is one of them.
        place: number of this run among those that run side by side on this machine.

    Raises:
        UserError: for wrong settings or data, or if the frozen weights have changed.
    """
    quieten()
    ranks = Ranks(trainer_maker(cfg.trainer, place))
    if size > 1 or started_by_cluster():
        join(ranks, size, run_folder)
    run = together(ranks, lambda: assemble(cfg, dict(names), run_folder, ranks, kept_model(cfg)))
    with others_alive(ranks), closing(run.workspace.stores):
        if ranks.rank > 0:
            ranks.serve(run.network, run.model.digest)
            return
        with kept_unless_void(run) as before:
            run_stages(cfg, run, before)
            for after in ranks.dismiss():
                check_weights(before, after)


@contextmanager
def kept_unless_void(run: Run) -> Iterator[str]:
    """Delete all that the block stored if it raises `Void`, or anything else when the weights have changed.

    Yields:
        The digest of the weights at the start.
    """
    before = run.model.digest()
    try:
        yield before
    except BaseException as error:
        KEPT.clear()  # a later run of the sweep reads the weights again
        void = isinstance(error, Void)
        with suppress(RuntimeError):  # of a device that has failed
            void = void or run.model.digest() != before
        if void:
            run.workspace.stores.withdraw()
            (run.workspace.folder / "results.json").unlink(missing_ok=True)
        raise


def run_stages(cfg: DictConfig, run: Run, before: str) -> None:
    """What rank 0 does: the stages in order, results on disk after each, tracking around them.

    Args:
        cfg: the composed configuration.
        run: assembled from it.
        before: digest of the weights at the start.
    """
    results, workspace = Results(figures=[figure.as_json() for figure in declared(run)]), run.workspace
    announce(workspace.ranks.device, run.settings.precision, run.model)
    with_images = any("images" in stage.needs for stage in run.stages.values())
    if with_images and run.domain.drawing:
        with workspace.accounted(PICTURES, run.network_calls):
            _ = run.references, run.held_out
    stages = dict(run.stages)
    if run.settings.level == AUTO and RECOMMENDING in stages:
        run = at_recommended_level(run, results, before)
        del stages[RECOMMENDING]
    results["coordinates"] = describe(run, with_images)
    results["command"] = RunFolder(workspace.folder).command
    results["versions"] = versions()
    results["device"] = name_of(workspace.ranks.device)
    tracker = open_tracker(
        plain(cfg.logger), {**results["coordinates"], "conf": plain(cfg)}, workspace.folder
    )
    if tracker is not None and tracker.url:
        results["tracking"] = {"url": tracker.url}
    failed = True

    def account(ended: bool = False) -> None:
        results["data"] = data_of(run, cfg)
        keep_accounts(run, results, before, ended)

    try:
        run_in_order(run, stages, results, account)
        stores, made, found = workspace.stores, workspace.items["made"], workspace.items["found"]
        results["store"] = {"folder": str(stores.root), "mode": stores.mode, "made": made, "found": found}
        if found:
            log.info("%d items made, %d found in %s", made, found, stores.root)
        account(ended=True)
        if tracker is not None:
            with optional("log the results"):
                shown = build(cfg.stage.report).pictures(run, results) if with_images else Pictures(NONE)
                tracker.log(results, shown)
        failed = False
    finally:
        if tracker is not None:
            tracker.close(failed)
    if cfg.output != RICH:
        return
    with printing():
        if "model" in results:
            print_card(run.names["model"], results["model"])
        if with_images:
            page = workspace.page
            print_summary(results, page if "report" in stages and page.exists() else None)


def versions() -> dict[str, str]:
    """Of `VERSIONS`; wandb may be missing."""
    found = {}
    for package in VERSIONS:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def announce(device: torch.device, precision: str, model: FrozenModel) -> None:
    """Say where the network computes, and warn where that cannot be what was meant."""
    log.info("The network computes on %s in %s.", name_of(device), precision)
    if device.type == "cpu" and (given := next((name for name in GIVEN if os.environ.get(name)), "")):
        log.warning(
            "This job was given a GPU (%s=%s) but computes on the CPU. See whether PyTorch finds it: "
            "python -c 'import torch; print(torch.cuda.is_available())'.", given, os.environ[given]
        )  # fmt: skip
    if precision == "bf16" and may_emulate_bf16(device):
        others = ("fp32",) if device.type == "cpu" else ("fp32", "fp16")
        rates = {each: measured_rate(model, device, each)(1) for each in ("bf16", *others)}
        best = max(others, key=lambda each: rates[each])
        if rates[best] > SLOWER * rates["bf16"]:
            slower = f"{rates[best] / rates['bf16']:.1f} times slower than {best}"
            log.warning("bf16 is %s on %s. Use precision=%s.", slower, name_of(device), best)


def may_emulate_bf16(device: torch.device) -> bool:
    """Whether the device may have no instructions for bfloat16: NVIDIA's have them from Ampere (8.0) on."""
    if device.type != "cuda" or torch.version.hip is not None:
        return device.type == "cpu"
    return torch.cuda.get_device_capability(device) < (8, 0)


def run_in_order(
    run: Run, stages: Mapping[str, Stage], results: Results, account: Callable[[bool], None]
) -> None:
    """Run stages; where one finds that something has gone from the store, all once more: that makes it again.

    Args:
        run: the run.
        stages: by name. They find in the store what earlier rounds have made.
        results: each stage's sections are added.
        account: puts on disk what was found so far; called before each stage, with whether all others have
            ended.
    """
    rounds, waiting = 1, list(stages)
    while waiting:
        try:
            account(stages[waiting[0]].last)  # the report shows it
            run_stage(run, waiting[0], results)
            del waiting[0]
        except Gone:
            if rounds == ROUNDS or run.workspace.ranks.size > 1:  # other ranks are in the middle of a loop
                raise
            rounds, waiting = rounds + 1, list(stages)
            run.images.forget()


def run_stage(run: Run, name: str, results: Results) -> None:
    """Run one stage and add the sections that it returns."""
    with run.workspace.accounted(name, run.network_calls):
        found = as_json(run.stages[name](run, results))
    if taken := sorted(OURS & found.keys()):
        raise UserError(f"the stage {name} must add sections of its own, but got {taken}. Rename them.")
    cast(Json, results).update(found)


def at_recommended_level(run: Run, results: Results, before: str) -> Run:
    """The run at the level that the stage `RECOMMENDING`, run here, recommends.

    Args:
        run: whose level is "auto".
        results: get what that stage found, which goes to disk at once.
        before: digest of the weights at the start.
    """
    run_stage(run, RECOMMENDING, results)
    level = results["bandwidth"]["recommended"]
    log.info("level=auto: %g", level)
    chosen = run.at(level=level)
    results["coordinates"] = describe(chosen, with_images=False)
    keep_accounts(chosen, results, before, ended=False)
    return chosen


def describe(run: Run, with_images: bool) -> Coordinates:
    """The run's coordinates in the grid: every group's choice and every knob, as they were used.

    Args:
        run: the run.
        with_images: whether the domain is used; its images are then counted (and rendered).
    """
    knobs = {knob: getattr(run.settings, knob) for knob in KNOBS}
    counts = {"n_references": len(run.references), "n_held_out": len(run.held_out)} if with_images else {}
    extractor = judged_by(run.names["extractor"], run.view_recipe)
    return cast(Coordinates, {**run.names, "extractor": extractor, **knobs, **counts})


def data_of(run: Run, cfg: DictConfig) -> dict[str, Data]:
    """Settings, origin and digests of the images that the run has used so far, by domain."""
    data: dict[str, Data] = {}
    for name, found in run.images.found().items():
        used: dict[str, Used] = {
            split: {"n": len(its), "digest": fingerprint(sorted(its))} for split, its in found.items() if its
        }
        if used:
            record = cast(Data, getattr(run.images, name).record())
            data[name] = {"settings": plain(cfg[name]), **record, "used": used}
    return data


def keep_accounts(run: Run, results: Results, before: str, ended: bool) -> None:
    """Memory and `results.json`, after every stage, so that a killed run leaves what it found.

    Args:
        run: the run.
        results: so far.
        before: digest of the weights at the start.
        ended: whether all that computes has ended: the weights, maybe gigabytes, are looked at again.
    """
    results["weights"] = {"before": before}
    if ended:
        results["weights"]["after"] = after = run.model.digest()
        check_weights(before, after)
    if found := verdicts(results):
        results["claims"] = cast(dict[str, str], found)
    results["stores"] = run.workspace.stores.used()
    results["cost"] = {**run.workspace.cost, "peak_memory_mib": round(peak_mib(), 1)}
    if (device := run.workspace.ranks.device).type == "cuda":
        results["cost"]["peak_gpu_memory_mib"] = round(peak_gpu_mib(device), 1)
    write_json(run.workspace.folder / "results.json", {"schema": SCHEMA, **results})


def check_weights(before: str, after: str) -> None:
    """Raise `Void` if the digests differ."""
    if after != before:
        raise Void(
            f"the frozen weights changed during the run: {before} -> {after}. The results are invalid "
            "and were discarded. The network must not change anything in `forward`."
        )


def quieten() -> None:
    """Silence what the libraries say to developers on every predict loop; warnings of ours stay."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=PossibleUserWarning)  # of workers, and of ranks: we start them
    warnings.filterwarnings("ignore", category=FutureWarning, module="pytorch_lightning")

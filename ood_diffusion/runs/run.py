"""Run one cell: its stages in order, results on disk after each, tracking around it."""

import logging
import shlex
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.warnings import PossibleUserWarning

from ood_diffusion.checks import Void
from ood_diffusion.domains.base import SPLITS
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.lightning.memory import peak_mib
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.optional import optional
from ood_diffusion.report.card import print_card
from ood_diffusion.report.claim_words import verdicts
from ood_diffusion.report.pictures import Pictures
from ood_diffusion.report.plan.speed import PICTURES
from ood_diffusion.report.results import SCHEMA, Results, write_json
from ood_diffusion.report.table import print_summary
from ood_diffusion.report.tracking.log import close_run, log_results, open_run
from ood_diffusion.runs.assemble import KNOBS, assemble, plain
from ood_diffusion.runs.cell import Cell
from ood_diffusion.runs.joining import join, others_alive, together, trainer_maker
from ood_diffusion.runs.launch import started_by_cluster
from ood_diffusion.runs.settings import AUTO, RICH, STAGES, module_of
from ood_diffusion.storage.store import Gone
from ood_diffusion.terminal import printing

log = logging.getLogger(__name__)

NONE = torch.empty(0, 3, 1, 1, dtype=torch.uint8)
ROUNDS = 10
"""How often the stages are run at most; whatever is damaged in one store is found in one round."""
VERSIONS = ("ood-diffusion", "torch", "pytorch-lightning", "torchmetrics", "diffusers", "hydra-core", "wandb")


def run(cfg: DictConfig, names: Mapping[str, str], run_folder: Path, size: int = 1) -> None:
    """Run the stages that `cfg.stages` names; results go to `run_folder`.

    Args:
        cfg: the composed configuration.
        names: the choice made in each configuration group.
        run_folder: the cell's own output folder.
        size: how many ranks run this cell; this process is one of them.

    Raises:
        UserError: for a mistake in settings or data, or if the frozen weights have changed.
    """
    quieten()
    ranks = Ranks(trainer_maker(cfg.trainer))
    if size > 1 or started_by_cluster():
        join(ranks, size, run_folder)
    cell = together(ranks, lambda: assemble(cfg, dict(names), run_folder, ranks))
    with others_alive(ranks):
        if ranks.rank > 0:
            ranks.serve(cell.network, cell.model.digest)
            return
        with kept_unless_void(cell) as before:
            run_stages(cfg, cell, before)
            for after in ranks.dismiss():
                check_weights(before, after)


@contextmanager
def kept_unless_void(cell: Cell) -> Iterator[str]:
    """Delete all that the block stored if it raises `Void`, or anything else when the weights have changed.

    Yields:
        The digest of the weights at the start.
    """
    before = cell.model.digest()
    try:
        yield before
    except BaseException as error:
        void = isinstance(error, Void)
        with suppress(RuntimeError):  # of a device that has failed
            void = void or cell.model.digest() != before
        if void:
            cell.stores.withdraw()
            (cell.run_folder / "results.json").unlink(missing_ok=True)
        raise


def run_stages(cfg: DictConfig, cell: Cell, before: str) -> None:
    """What rank 0 does: the stages in order, results on disk after each, tracking around them.

    Args:
        cfg: the composed configuration.
        cell: the cell.
        before: digest of the weights at the start.
    """
    chosen = [name for name in STAGES if name in cfg.stages]
    with_images = chosen != ["inspect"]
    if with_images and cell.domain.drawing:
        with cell.stage(PICTURES):
            _ = cell.references, cell.held_out
    if cell.settings.level == AUTO and not {"inspect", "train"}.issuperset(chosen):
        cell, chosen = at_recommended_level(cell, before), [name for name in chosen if name != "bandwidth"]
    description = describe(cell, with_images)
    versions = {p: version(p) for p in VERSIONS}
    command = command_of(cell.run_folder)
    cell.results |= {"command": command, "cell": description, "versions": versions}
    tracker = open_run(plain(cfg.logger), {**description, "conf": plain(cfg)}, cell.run_folder)
    failed = True

    def account() -> None:
        cell.results["data"] = data_of(cell, cfg)
        keep_accounts(cell, before)

    try:
        run_in_order(cell, chosen, account)
        stores, counts = cell.stores, {"made": cell.made["images"], "found": cell.made["found"]}
        cell.results["store"] = {"folder": str(stores.root), "mode": stores.mode, **counts}
        if counts["found"]:
            log.info("%d items made, %d found in %s", *counts.values(), stores.root)
        account()
        if tracker is not None:
            with optional("log the results to W&B"):
                pictures = module_of("report").collect_pictures(cell) if with_images else Pictures(NONE)
                log_results(tracker, cast(Results, cell.results), pictures)
        failed = False
    finally:
        if tracker is not None:
            close_run(tracker, failed)
    if cfg.output != RICH:
        return
    results = cast(Results, cell.results)
    with printing():
        if "model" in results:
            print_card(cell.names["model"], results["model"])
        if with_images:
            print_summary(results, cell.page if "report" in chosen and cell.page.exists() else None)


def run_in_order(cell: Cell, names: Sequence[str], account: Callable[[], None]) -> None:
    """Run stages; where one finds that something has gone from the store, all once more: that makes it again.

    Args:
        cell: the cell.
        names: of the stages. They find in the store what earlier rounds have made.
        account: puts on disk what was found so far; called before each stage.
    """
    rounds, waiting = 1, list(names)
    while waiting:
        try:
            account()  # before each stage too: the report shows it
            with cell.stage(waiting[0]):
                stage(waiting[0])(cell)
            del waiting[0]
        except Gone:
            if rounds == ROUNDS or cell.ranks.size > 1:  # other ranks are in the middle of a loop
                raise
            rounds, waiting = rounds + 1, list(names)
            cell.look_again()


def at_recommended_level(cell: Cell, before: str) -> Cell:
    """The cell at the level that its stage `bandwidth`, run here, recommends; with what that stage found.

    Args:
        cell: whose level is "auto".
        before: digest of the weights at the start; what was found goes to disk at once.
    """
    with cell.stage("bandwidth"):
        stage("bandwidth")(cell)
    level = cell.results["bandwidth"]["recommended"]
    log.info("level=auto: %g", level)
    chosen = cell.at(level=level)
    chosen.results = {"cell": describe(chosen, with_images=False), **cell.results}
    keep_accounts(chosen, before)
    return chosen


def stage(name: str) -> Callable[[Cell], None]:
    """The function that runs a stage."""
    return cast(Callable[[Cell], None], getattr(module_of(name), name))


def describe(cell: Cell, with_images: bool) -> dict[str, Any]:
    """The cell's coordinates in the grid: every group's choice and every knob, as they were used.

    Args:
        cell: the cell.
        with_images: whether the domain is used; its images are then counted (and rendered).
    """
    knobs = {knob: getattr(cell.settings, knob) for knob in KNOBS}
    counts = {"n_references": len(cell.references), "n_held_out": len(cell.held_out)} if with_images else {}
    return {**cell.names, **knobs, **counts}


def command_of(run_folder: Path) -> str:
    """The command that makes this cell, from what Hydra wrote when it began."""
    path = run_folder / ".hydra" / "overrides.yaml"
    return shlex.join(["ood-diffusion", *(OmegaConf.load(path) if path.is_file() else ())])


def data_of(cell: Cell, cfg: DictConfig) -> dict[str, Any]:
    """Settings, origin and digests of the images that the cell has used so far, by domain."""
    domains = {"domain": (cell.domain, ""), "training_domain": (cell.training_domain, "training_")}
    data = {}
    for name, (domain, prefix) in domains.items():
        found = {split: cell.__dict__.get(prefix + split) for split in SPLITS}
        used = {s: {"n": len(x), "digest": fingerprint(sorted(x))} for s, x in found.items() if x}
        if used:
            data[name] = {"settings": plain(cfg[name]), **domain.record(), "used": used}
    return data


def keep_accounts(cell: Cell, before: str) -> None:
    """Digest, memory and `results.json`, after every stage, so that a killed run leaves what it found."""
    after = cell.model.digest()
    check_weights(before, after)
    cell.results["weights"] = {"before": before, "after": after}
    if found := verdicts(cell.results):
        cell.results["claims"] = found
    cell.results.setdefault("cost", {})["peak_memory_mib"] = round(peak_mib(), 1)
    write_json(cell.run_folder / "results.json", {"schema": SCHEMA, **cell.results})


def check_weights(before: str, after: str) -> None:
    """Raise `Void` if the digests differ."""
    if after != before:
        raise Void(
            f"the frozen weights changed during the run: {before} -> {after}. Results are void, none are "
            "kept. Let the network change nothing in `forward`."
        )


def quieten() -> None:
    """Silence what the libraries say to developers on every predict loop; warnings of ours stay."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=PossibleUserWarning)  # of workers, and of ranks: we start them
    warnings.filterwarnings("ignore", category=FutureWarning, module="pytorch_lightning")

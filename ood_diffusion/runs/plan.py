"""What a run would compute, without computing it: the shares of its stages, added up."""

from ood_diffusion.domains.drawing import Drawing
from ood_diffusion.report.plan.speed import PICTURES
from ood_diffusion.report.plan.work import Plan, Work
from ood_diffusion.runs.calls import calls_along
from ood_diffusion.runs.images import drawn_for
from ood_diffusion.runs.known import Known
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.settings import AUTO


def plan_run(run: Run) -> Plan:
    """The predict loops of a run and what of their results is on disk; nothing is rendered or written."""
    settings, known = run.settings, Known(run)
    network = (run.model.digest(), settings.precision, settings.compile)
    works, notes, uncounted = [], [], []
    if settings.batch_size == "auto":
        notes.append("batch_size=auto: the calls that measure it and that fill the last batch are additional")
    if run.domain.drawing and any("images" in stage.needs for stage in run.stages.values()):
        works.append(drawn_pictures(run, run.domain.drawing))
    needs: dict[str, dict[str, bool]] = {}
    bank = ""
    for name, stage in run.stages.items():
        levelled = "level" in stage.needs
        if levelled and settings.level == AUTO:
            continue
        share = stage.share(run, known)
        if share is None:
            uncounted.append(name)
            continue
        works += share.works
        notes += share.notes
        needs |= {folder: dict(items) for folder, items in share.needs.items()}
        bank = str(run.bank.folder) if levelled else bank
    if uncounted:
        more = ", nor those that draw the training domain's pictures" if run.training_domain.drawing else ""
        notes.append(f"{', '.join(uncounted)}: network calls not counted (conf/stage says how many){more}")
    if settings.level == AUTO:
        notes.append("level=auto: the stage bandwidth runs first and chooses it; calls are not counted")
    return Plan(works, bank, needs, network, str(run.workspace.stores.root.parent), notes)


def drawn_pictures(run: Run, drawing: Drawing) -> Work:
    """References and held-out images of a domain that a network draws, by their keys."""
    counts = {"references": run.settings.n_references, "held_out": run.settings.n_held_out}
    items: dict[str, bool] = {}
    for split, n in counts.items():
        items |= dict.fromkeys((run.domain.address(split, i) for i in range(n)), True)  # type: ignore[arg-type]
        items |= dict.fromkeys(drawn_for(run.domain, run.pictures, split, n).values(), False)  # type: ignore[arg-type]
    calls = calls_along(drawing.solver, drawing.model.schedule, drawing.levels[::-1])
    return Work(PICTURES, str(run.pictures.folder), items, calls, 1)

"""What was done, in one sentence, and the numbers to read first."""

from ood_diffusion.report.results import Results
from ood_diffusion.report.sections import Entry, Row, qualify
from ood_diffusion.report.wording import number, percent


def story(results: Results) -> str:
    """Say in one sentence what was done, from as much of the cell as is known."""
    cell = results.get("cell", {})
    count, domain = cell.get("n_references"), cell.get("domain", "an unseen domain")
    shown = f"{number(count)} images" if count is not None else "images"
    level = f" to level {number(cell['level'])}" if "level" in cell else ""
    text = f"The frozen model {cell.get('model', '')} inverted {shown} of {domain}{level}".replace("  ", " ")
    if "sampler" not in cell:
        return f"{text}."
    draws = f"{number(cell['n_samples'])} new latents" if "n_samples" in cell else "new latents"
    return f"{text}; from these the sampler {cell['sampler']} made {draws}, and the model denoised them."


def headlines(results: Results) -> list[Row]:
    """The handful of numbers to read first; the name and one entry each."""
    rows: list[Row] = []
    if (psnr := results.get("reconstruct", {})).get("psnr_mean") is not None:
        worst = f"worst {number(psnr.get('psnr_min'))}, n = {number(psnr.get('n'))}"
        note = f"± {number(psnr.get('psnr_sd'))} dB, {worst}"
        rows.append(Row("round-trip PSNR", [Entry(f"{number(psnr['psnr_mean'])} dB", note)]))
    if physical := results.get("reconstruct", {}).get("physical"):
        unit, share = physical["unit"], percent(physical["share_of_sd"])
        note = f"± {number(physical['rms_sd'])} {unit}, {share} of the standard deviation"
        note += f"; mean value {100 * physical['flux']:+.2g} %"
        found = f"{number(physical['rms'])} {unit}"
        rows.append(Row("round-trip error, rms", [Entry(found, note)]))
    metrics = results.get("metrics", {})
    samples = metrics.get("sets", {}).get("samples", {})
    if "fid" in samples:
        rows.append(Row("FID of new samples", [Entry(number(samples["fid"]), qualify(metrics, samples))]))
    if fid := metrics.get("network_adds", {}).get("twin", {}).get("fid"):
        note = f"95 %: {number(fid['low'])} to {number(fid['high'])}; below 0 the network helps"
        rows.append(Row("FID minus twin", [Entry(number(fid["value"]), note)]))
    if "coverage" in samples:
        rows.append(Row("coverage", [Entry(number(samples["coverage"]), "of held-out images, 0 to 1")]))
    novelty = metrics.get("novelty", {})
    if "copies" in novelty:
        rows.append(Row("near-copies", [Entry(percent(novelty["copies"]), "of new samples")]))
    return rows

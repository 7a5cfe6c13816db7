"""The last thing a run prints: one small table."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ood_diffusion.report.claim_words import checks_of
from ood_diffusion.report.claims_table import claims_table
from ood_diffusion.report.declared import known
from ood_diffusion.report.results import Model, Results
from ood_diffusion.report.sections import SAMPLES, metric_table, weights_equal, written
from ood_diffusion.report.wide import print_wide, screen
from ood_diffusion.report.wording import SETS, number


def summary_table(results: Results) -> Table:
    """The run in one table: sets as columns, and each number under the set that it describes."""
    used, metrics = results.get("coordinates", {}), results.get("metrics", {})
    title = Text(f"{used.get('domain', 'unseen domain')}, drawn by {used.get('model', 'a frozen model')}")
    judged = metric_table(results, "terminal")
    columns = judged.columns or list(SETS)
    extractor = f"Features: {metrics['extractor']}." if "extractor" in metrics else ""
    caption = f"{extractor} ±: half the 95 % interval." if metrics.get("intervals") else extractor
    table = Table(box=box.SIMPLE_HEAD, title=title, title_style="bold", title_justify="left")
    table.caption, table.caption_justify = caption, "left"
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(Text(column), justify="right")
    for row in judged.rows:
        arrow = f" {row.word.arrow}" if row.word and row.word.arrow else ""
        name = f"{row.name}{arrow}"
        values = [entry.value.replace("\u00a0", " ") for entry in row.entries]
        if row.name == "n":
            name, values = (
                "n vs held-out",
                [f"{value} vs {number(metrics.get('n_real'))}" for value in values],
            )
        table.add_row(Text(name), *(Text(value) for value in values))
    table.add_section()
    for name, column, value in _single_numbers(results):
        place = column if column in columns else columns[0]
        table.add_row(Text(name), *(Text(value if place == other else "") for other in columns))
    return table


def print_summary(results: Results, report_path: Path | None, console: Console | None = None) -> None:
    """Print the summary table, whether the weights are unchanged, and where the report lies."""
    console = console or screen()
    table = summary_table(results)
    if table.row_count:
        console.print(table)
    if any(checks_of(results)):
        print_wide(console, claims_table(results))
    equal = weights_equal(results)
    if equal is not None:
        text = "Weights before and after: equal." if equal else "Weights before and after: NOT EQUAL."
        console.print(Text(text, style="green" if equal else "bold red"))
    seconds = results.get("cost", {}).get("seconds", {})
    if seconds:
        console.print(Text(f"Time: {number(float(sum(seconds.values())))} s."))
    if report_path is not None:
        console.print(Text(f"Report: {report_path}"), soft_wrap=True)


def _single_numbers(results: Results) -> list[tuple[str, str, str]]:
    """Head, column and text of every figure that is no metric of a set."""
    return [
        (f"{each.label} {each.arrow}".rstrip(), each.of, written(each, results).replace("\u00a0", " "))
        for each in known(results, "terminal").values()
        if not each.path.startswith(SAMPLES)
    ]


def model_card(name: str, model: Model) -> Table:
    """What a user checks before trusting a checkpoint; `name` is the choice in the group `model`."""
    images, states = (" × ".join(map(str, model[key])) for key in ("image_shape", "state_shape"))
    speed = model["images_per_second"]
    last = "−∞" if model["lambda_last"] is None else f"{model['lambda_last']:.2f}"
    rows = {
        "parameters": f"{model['parameters'] / 1e6:.1f} M",
        "images": images + ("" if images == states else f" (states {states})"),
        "predicts": model["prediction_type"],
        "levels": f"0 … {model['timesteps']}",
        "λ at levels 1 … T": f"{model['lambda_first']:.2f} … {last}",
        f"ᾱ at levels {', '.join(model['signal'])}": ", ".join(f"{v:.2g}" for v in model["signal"].values()),
        "digest": model["digest"],
        "network": "—" if speed is None else f"{number(speed)} images/s",
    }
    table = Table(
        box=box.SIMPLE, title=Text(name), title_style="bold", title_justify="left", show_header=False
    )
    for key, value in rows.items():
        table.add_row(Text(key), Text(value))
    return table


def print_card(name: str, model: Model, console: Console | None = None) -> None:
    """Print the card and where the grid of images is."""
    console = console or screen()
    console.print(model_card(name, model))
    console.print(Text(f"Its own images: {model['picture']}"), soft_wrap=True)

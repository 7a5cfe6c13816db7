"""A frozen model on one card, for the terminal."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ood_diffusion.report.results import Model
from ood_diffusion.report.wide import screen
from ood_diffusion.report.wording import number


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

"""A folder as diffusers saves it, here or on the Hugging Face hub: configs (JSON) and weights.

Nothing that a folder says is imported or run.
"""

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from ood_diffusion.checks import Json, UserError, require, require_choice
from ood_diffusion.models.checkpoint import read_state
from ood_diffusion.terminal import brief

T = TypeVar("T")
STEM = "diffusion_pytorch_model"
WEIGHTS = tuple(f"{STEM}{variant}.{kind}" for variant in ("", ".fp16") for kind in ("safetensors", "bin"))
"""Names of one file of weights, the best first."""
INDICES = tuple(f"{STEM}.{kind}.index{v}.json" for v in ("", ".fp16") for kind in ("safetensors", "bin"))
"""Names of the list of several."""
TEXT = ["tokenizer*/*", "text_encoder*/model.safetensors", "text_encoder*/model-*-of-*"]
PATTERNS = ["*.json", *(f"*{name}" for name in WEIGHTS), f"*{STEM}*-of-*", *TEXT]
AVERAGING = frozenset(
    ["decay", "min_decay", "optimization_step", "update_after_step", "use_ema_warmup", "inv_gamma", "power"]
)
"""What diffusers' `EMAModel` writes into the config of its network."""
HUB_ID = r"[\w.-]+/[\w.-]+"
OTHER = "Choose another model: docs/models.md says which are read."
OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
"""Names that diffusers gave the parts of an attention until version 0.14; the hub's are often older."""


def find_folder(path: str, revision: str | None) -> Path:
    """The local folder `path`, or the hub's copy of what it names, downloaded unless it was before.

    Raises:
        UserError: if it is neither a folder nor an id, or cannot be had.
    """
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    require(
        re.fullmatch(HUB_ID, path) is not None and not folder.exists(),
        "model.path must be a folder saved by diffusers or an id on the Hugging Face hub (owner/name)",
        path,
        "Correct model.path.",
    )
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(path, revision=revision, allow_patterns=PATTERNS)
    except Exception as error:  # of huggingface_hub, httpx or the disk: all end the same way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"model.path must be a folder or a hub id that can be downloaded, but there is no folder {path} "
            f"here and the hub did not give it ({reason}). Without a network: on another machine run "
            f"`hf download {path} --local-dir DIR`, copy DIR here and set model.path=DIR."
        ) from None
    return Path(found)


def read_config(path: Path, kind: type, names: tuple[str, ...]) -> Json:
    """The arguments in a diffusers config, checked against the class they are for.

    Args:
        path: the JSON file.
        kind: a class of diffusers.
        names: what its `_class_name` may be.

    Raises:
        UserError: if the file is missing, no JSON, for another class, or says what the class does not know.
    """
    config = read_json(path)
    require_choice(f"_class_name in {path}", str(config.get("_class_name")), names, OTHER)
    arguments = {k: v for k, v in config.items() if not k.startswith("_") and k not in AVERAGING}
    unknown = sorted(arguments.keys() - inspect.signature(kind).parameters.keys())
    require(
        not unknown,
        f"{path} must contain only settings that this version of diffusers supports",
        unknown,
        "Update diffusers, or remove the entries if they do not matter.",
    )
    return arguments


def read_part(place: Path) -> tuple[dict[str, Tensor], str]:
    """State dict and path of the weights in a part's folder, attention blocks under their present names."""
    path = next((place / name for name in (*WEIGHTS, *INDICES) if (place / name).is_file()), None)
    if path is None:
        raise UserError(
            f"{place} must hold {' or '.join(WEIGHTS[:2])}, whole or in shards with an index, but got "
            f"{contents(place)}. Download them, or save the network again by diffusers' save_pretrained."
        )
    state = {}
    for shard in shards(path) if path.name in INDICES else [path]:
        for name, value in read_state(str(shard)).items():
            for old, new in OLD_ATTENTION.items():
                name = name.replace(old, new) if ".attentions." in name else name
            state[name] = value
    return state, str(path)


def shards(index: Path) -> list[Path]:
    """The files, beside it, that an index of sharded weights lists."""
    listed = read_json(index).get("weight_map")
    names = sorted(set(listed.values())) if isinstance(listed, dict) else []
    require(
        bool(names) and all(isinstance(name, str) and Path(name).name == name for name in names),
        f"{index} must map entries to files beside it (weight_map)",
        names[:2],
        "Download it again.",
    )
    missing = [name for name in names if not (index.parent / name).is_file()]
    require(
        not missing,
        f"{index.parent} must hold all {len(names)} files that {index.name} lists",
        f"none named {', '.join(missing[:3])}" + ", …" * (len(missing) > 3),
        "Download what is missing.",
    )
    return [index.parent / name for name in names]


def contents(folder: Path) -> str:
    """The first names in a folder, for a message."""
    names = sorted(path.name for path in folder.iterdir())
    return (", ".join(names[:6]) + ", …" * (len(names) > 6)) or "nothing"


def usable(make: Callable[[], T], path: Path) -> T:
    """What `make` makes of the config at `path`; `UserError` where its values break that."""
    try:
        return make()
    except UserError:
        raise
    except Exception as error:  # of numpy, torch and diffusers, for values of any kind
        raise UserError(
            f"{path} must hold settings that can be used, but they led to {brief(error)}. Download it again, "
            "or update diffusers."
        ) from None


def read_json(path: Path) -> Json:
    """The object in a JSON file; `UserError` if there is none."""
    require(
        path.is_file(),
        f"a folder saved by diffusers must hold {path.name}",
        f"no {path}",
        "Correct model.path.",
    )
    try:
        config = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise UserError(f"{path} must be a JSON file, but {error}. Download it again.") from None
    require(
        isinstance(config, dict),
        f"{path} must hold a JSON object",
        type(config).__name__,
        "Download it again.",
    )
    return config  # type: ignore[no-any-return]

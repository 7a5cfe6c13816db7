"""The Inception-v3 features of the published FID, from a weights file on this machine."""

import hashlib
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.metrics.base import FeatureExtractor

WEIGHTS_NAME = "weights-inception-2015-12-05-6726825d.pth"
WEIGHTS_SHA256 = "6726825d"
"""First digits of the file's SHA-256, part of its name by torch.hub's convention."""
WEIGHTS_URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/" + WEIGHTS_NAME


class Inception(FeatureExtractor):
    """Pooled features of the 2015 TensorFlow Inception-v3 (Heusel et al. 2017), d = 2048.

    The network, its TensorFlow-1 bilinear resize to 299 pixels and its scaling are torch-fidelity's.
    Nothing is ever downloaded: compute nodes are often offline, and a hanging download costs the job.

    Its `name` is "inception" for the published weights, and "inception_other_weights" otherwise:
    only the former yields figures that can stand beside published ones.

    Args:
        weights_path: the weights file; None looks in torch.hub's checkpoint folder.
    """

    version = 1

    def __init__(self, weights_path: str | None = None) -> None:
        path = find_weights(weights_path)
        network = _load(path)
        published = _sha256(path).startswith(WEIGHTS_SHA256)
        super().__init__("inception" if published else "inception_other_weights", 2048, network)

    def features(self, images: Tensor) -> Tensor:
        """Uint8 ``[B, 3, H, W]`` -> float32 ``[B, 2048]``, non-negative."""
        features: Tensor = self.network(images)[0]
        return features


def find_weights(weights_path: str | None) -> Path:
    """The weights file, before anything is built.

    Raises:
        UserError: if it does not exist, naming every place that was looked at.
    """
    default = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS_NAME
    path = default if weights_path is None else Path(weights_path).expanduser()
    if path.is_file():
        return path
    looked = f"extractor.weights_path={weights_path}"
    raise UserError(
        f"extractor=inception must find its weights in extractor.weights_path or in {default}, "
        f"but got no such file ({looked}). Nothing is downloaded during a run, so this is safe offline: "
        f"on a machine with a network fetch {WEIGHTS_URL} and copy it to that folder "
        f"($TORCH_HOME/hub/checkpoints), set extractor.weights_path, or use "
        f"extractor=efficientnet_lite0, whose weights are installed with the package."
    )


def _load(path: Path) -> nn.Module:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        # torch-fidelity unpickles without restrictions: let PyTorch refuse anything but tensors first.
        torch.load(path, map_location="cpu", weights_only=True)
        network: nn.Module = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
        )
    except (RuntimeError, TypeError, pickle.UnpicklingError, EOFError) as error:
        raise UserError(
            f"{path} must be torch-fidelity's Inception state dict, but got a file that cannot be "
            f"loaded ({error!r:.120}). Fetch it again: {WEIGHTS_URL}"
        ) from None
    return network


def _sha256(path: Path) -> str:
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            sha.update(chunk)
    return sha.hexdigest()

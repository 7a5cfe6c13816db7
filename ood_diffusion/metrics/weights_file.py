"""Feature extractors of torch-fidelity's, from a weights file on this machine: nothing is ever downloaded."""

import hashlib
import pickle
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ood_diffusion.checks import UserError, require
from ood_diffusion.metrics.base import FeatureExtractor


class Published(NamedTuple):
    """The weights that figures are published with.

    Args:
        url: where they are.
        sha256: the first digits of the file's SHA-256.
    """

    url: str
    sha256: str

    @property
    def file(self) -> str:
        """The name under which torch.hub would keep them."""
        return self.url.rpartition("/")[2]


class FileExtractor(FeatureExtractor):
    """What a network of torch-fidelity's returns first, for uint8 images of any size.

    Compute nodes are often offline, and a hanging download costs the job: the file must be there. `name` is
    that of the choice for the published weights and ends in "_other_weights" otherwise: only the former
    yields figures that can stand beside published ones.

    Args:
        weights_path: the weights file; None looks in torch.hub's checkpoint folder.
    """

    choice: str
    """Its name in ``extractor=…``."""
    published: Published
    only_published = False
    """Whether other weights are refused: a TorchScript archive is a program, not only numbers."""

    def __init__(self, weights_path: str | None = None) -> None:
        path = find_weights(self.choice, weights_path, self.published)
        sha256 = _sha256(path)
        known = sha256.startswith(self.published.sha256)
        require(
            known or not self.only_published,
            f"{path} must be the published file, whose SHA-256 is {self.published.sha256}",
            sha256,
            f"Fetch {self.published.url}. Another file might execute code.",
        )
        try:
            network = self.load(path)
        except (RuntimeError, TypeError, KeyError, AttributeError, pickle.UnpicklingError, EOFError) as error:
            raise UserError(
                f"{path} must hold the weights of extractor={self.choice}, but got a file that cannot be "
                f"loaded ({error!r:.120}). Fetch it again: {self.published.url}"
            ) from None
        with torch.no_grad():
            width = network(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))[0].shape[1]
        super().__init__(self.choice if known else f"{self.choice}_other_weights", width, network)

    @staticmethod
    @abstractmethod
    def load(path: Path) -> nn.Module:
        """The network with the weights in a file; what it raises for a file of another kind is explained."""

    def features(self, images: Tensor) -> Tensor:
        """Uint8 ``[B, 3, H, W]`` -> float32 ``[B, num_features]``."""
        features: Tensor = self.network(images)[0]
        return features


def find_weights(choice: str, weights_path: str | None, published: Published) -> Path:
    """The weights file, before anything is built.

    Raises:
        UserError: if it does not exist, naming every place that was looked at.
    """
    default = Path(torch.hub.get_dir()) / "checkpoints" / published.file
    path = default if weights_path is None else Path(weights_path).expanduser()
    if path.is_file():
        return path
    raise UserError(
        f"extractor={choice} must find its weights in extractor.weights_path or in {default}, "
        f"but got no such file (extractor.weights_path={weights_path}). Nothing is downloaded during a run, "
        f"so this is safe offline: on a machine with a network fetch {published.url} and copy it to that "
        f"folder ($TORCH_HOME/hub/checkpoints), set extractor.weights_path, or use "
        f"extractor=efficientnet_lite0, whose weights are installed with the package."
    )


def tensors_only(path: Path) -> dict[str, Tensor]:
    """A state dict. torch-fidelity unpickles without restrictions: PyTorch first refuses all else."""
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def from_tensors(make: Callable[..., nn.Module], name: str, layer: str, path: Path) -> nn.Module:
    """torch-fidelity's extractor of this class and name, returning `layer`, from a file of tensors alone."""
    tensors_only(path)
    return make(name, [layer], feature_extractor_weights_path=str(path))


def _sha256(path: Path) -> str:
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            sha.update(chunk)
    return sha.hexdigest()

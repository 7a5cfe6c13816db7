"""What every feature extractor promises: images in, one feature vector each, nothing trained."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ood_diffusion.checks import require
from ood_diffusion.fingerprint import weights_digest
from ood_diffusion.precision import arithmetic


class FeatureExtractor(nn.Module, ABC):
    """A frozen network that turns images into the vectors in which all metrics measure.

    It stays in eval mode whatever `train` says, records no gradient, and runs in float32 outside
    any autocast and without TF32, so that an image has the same features on every device up to
    round-off, whichever batch it comes in.

    Args:
        name: what every figure made with this extractor must state. It names everything that
            changes the features besides the weights (the input size, for instance).
        num_features: length d of a feature vector.
        network: the network that `features` calls.

    Examples:
        >>> class MeanColour(FeatureExtractor):
        ...     def __init__(self):
        ...         super().__init__("mean_colour", 3, nn.Flatten(2))
        ...     def features(self, images):
        ...         return self.network(images.float()).mean(2)
        >>> MeanColour()(torch.full((2, 3, 8, 8), 128, dtype=torch.uint8))
        tensor([[128., 128., 128.],
                [128., 128., 128.]])
    """

    version = 1
    """Of the results: raised whenever numbers change (`source.identity`)."""
    name: str
    num_features: int
    digest: str
    """`weights_digest` of the network."""

    def __init__(self, name: str, num_features: int, network: nn.Module) -> None:
        super().__init__()
        self.name = name
        self.num_features = num_features
        self.network = network.requires_grad_(False)
        self.digest = weights_digest(network.state_dict())
        self.train(False)

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Uint8 RGB ``[B, 3, H, W]`` -> float32 or float64 ``[B, num_features]``; input is checked."""

    def forward(self, images: Tensor) -> Tensor:
        """Uint8 RGB ``[B, 3, H, W]``, any H and W -> float32 or float64 ``[B, num_features]``.

        Raises:
            UserError: if the images have another shape or dtype.
        """
        require(
            images.dtype == torch.uint8 and images.ndim == 4 and images.shape[1] == 3,
            "images must be uint8 RGB of shape [B, 3, H, W]",
            f"{images.dtype} {list(images.shape)}",
            "Map [-1, 1] to bytes by ((x + 1) * 127.5).round(), and repeat a grey channel three times.",
        )
        with torch.no_grad(), arithmetic("fp32", images.device.type), deterministic_convolutions():
            return self.features(images)

    def train(self, mode: bool = True) -> "FeatureExtractor":
        """Stay in eval mode: batch statistics must never leak from one image into another."""
        return super().train(False)


@contextmanager
def deterministic_convolutions() -> Iterator[None]:
    """Within the block cuDNN chooses its algorithms by no clock and sums in a fixed order."""
    cudnn = torch.backends.cudnn
    before = cudnn.enabled, cudnn.benchmark, cudnn.deterministic
    cudnn.enabled, cudnn.benchmark, cudnn.deterministic = True, False, True
    try:
        yield
    finally:
        cudnn.enabled, cudnn.benchmark, cudnn.deterministic = before


def match_by_position(target: Mapping[str, Tensor], source: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of `source` the names of `target`: two builds of one architecture, in one order.

    Raises:
        UserError: if the counts differ, or a shape does, naming the first pair that does not match.
    """
    require(
        len(target) == len(source),
        f"the weights must hold {len(target)} tensors",
        len(source),
        "The file belongs to another architecture; choose the matching one.",
    )
    for (name, wanted), (given, found) in zip(target.items(), source.items(), strict=True):
        require(
            wanted.shape == found.shape,
            f"weights for {name!r} must have shape {list(wanted.shape)}",
            f"{given!r} {list(found.shape)}",
            "The file belongs to another architecture; choose the matching one.",
        )
    return dict(zip(target, source.values(), strict=True))

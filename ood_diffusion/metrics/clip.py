"""CLIP image features, from a weights file on this machine."""

import warnings
from pathlib import Path

from torch import nn

from ood_diffusion.metrics.weights_file import FileExtractor, Published

_SHA256 = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
PUBLISHED = Published(f"https://openaipublic.azureedge.net/clip/models/{_SHA256}/ViT-B-32.pt", _SHA256)


class CLIP(FileExtractor):
    """The image embedding of CLIP ViT-B/32 (Radford et al. 2021), d = 512, not normalised.

    Args:
        weights_path: OpenAI's TorchScript archive, of which only the tensors are used, and no other; None
            looks in torch.hub's checkpoint folder.
    """

    version = 1
    choice = "clip"
    published = PUBLISHED
    only_published = True

    @staticmethod
    def load(path: Path) -> nn.Module:
        """The network with the weights in a file."""
        from torch_fidelity.feature_extractor_clip import FeatureExtractorCLIP

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`torch.jit.load` is deprecated")
            network: nn.Module = FeatureExtractorCLIP(
                "clip-vit-b-32", ["clip"], feature_extractor_weights_path=str(path)
            )
        return network

"""The Inception-v3 features of the published FID, from a weights file on this machine."""

from pathlib import Path

from torch import nn

from ood_diffusion.metrics.weights_file import FileExtractor, Published, from_tensors

PUBLISHED = Published(
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
    "6726825d",
)


class Inception(FileExtractor):
    """Pooled features of the 2015 TensorFlow Inception-v3 (Heusel et al. 2017), d = 2048, non-negative.

    The network, its TensorFlow-1 bilinear resize to 299 pixels and its scaling are torch-fidelity's.

    Args:
        weights_path: the weights file; None looks in torch.hub's checkpoint folder.
    """

    version = 1
    choice = "inception"
    published = PUBLISHED

    @staticmethod
    def load(path: Path) -> nn.Module:
        """The network with the weights in a file."""
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        return from_tensors(FeatureExtractorInceptionV3, "inception-v3-compat", "2048", path)

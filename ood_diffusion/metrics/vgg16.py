"""VGG-16 features, from a weights file on this machine."""

from pathlib import Path

from torch import nn

from ood_diffusion.metrics.weights_file import FileExtractor, Published, from_tensors

PUBLISHED = Published("https://download.pytorch.org/models/vgg16-397923af.pth", "397923af")


class VGG16(FileExtractor):
    """The last hidden layer of VGG-16 (Simonyan & Zisserman 2015), d = 4096, after its ReLU.

    Kynkäänniemi et al. 2019 measure precision and recall on it. torch-fidelity resizes to 224 pixels.

    Args:
        weights_path: torchvision's state dict; None looks in torch.hub's checkpoint folder.
    """

    version = 1
    choice = "vgg16"
    published = PUBLISHED

    @staticmethod
    def load(path: Path) -> nn.Module:
        """The network with the weights in a file."""
        from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16

        return from_tensors(FeatureExtractorVGG16, "vgg16", "fc2_relu", path)

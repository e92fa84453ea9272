"""All backbones by name."""

from importlib import import_module
from typing import get_args

from automedsam.backbone.architectures import Backbone
from automedsam.runtime.options import BackboneName

BACKBONES: dict[str, Backbone] = {
    name: import_module(f"automedsam.backbone.catalogue.{name}").BACKBONE
    for name in get_args(BackboneName)
}

# To try on real images: each is followed by the one to try if it fails.
ALTERNATIVES: tuple[BackboneName, ...] = ("lite_medsam", "medsam_vit_b", "sam_vit_b")


def other_backbones(name: str) -> list[BackboneName]:
    """The two or three backbones to try in place of one that fails, the best guess first."""
    names = [*ALTERNATIVES]
    if name not in names:
        return names
    place = names.index(name)
    return names[place + 1 :] + names[:place]

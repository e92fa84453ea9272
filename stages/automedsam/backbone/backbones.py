"""All backbones by name."""

from importlib import import_module
from typing import get_args

from automedsam.backbone.architectures import Backbone
from automedsam.runtime.options import BackboneName

BACKBONES: dict[str, Backbone] = {
    name: import_module(f"automedsam.backbone.catalogue.{name}").BACKBONE
    for name in get_args(BackboneName)
}

"""Parameters of the backbone: the choice of `auto`, and names that are given."""

from typing import get_args

import pytest

from automedsam.runtime.options import BackboneName
from automedsam.runtime.parameters.backbone import BackboneParams
from automedsam.runtime.parameters.data import DatasetParams
from automedsam.runtime.parameters.loading import load_params
from automedsam.runtime.parameters.stages import (
    EmbedParams,
    EvaluateParams,
    LabelParams,
    TrainParams,
)
from repository import ROOT

DATASETS = get_args(DatasetParams.model_fields["dataset"].annotation)


def test_auto_selects_the_small_sam_for_phantoms_only():
    chosen = {name: BackboneParams(dataset=name).backbone_name for name in DATASETS}
    assert chosen == {
        "synthetic": "sam_tiny",
        "folder": "lite_medsam",
        "hc18": "lite_medsam",
        "acdc": "lite_medsam",
        "camus": "lite_medsam",
    }


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("name", get_args(BackboneName))
def test_a_given_name_is_kept_for_every_data_set(name, dataset):
    assert BackboneParams(dataset=dataset, backbone=name).backbone_name == name


@pytest.mark.parametrize("stage", [EmbedParams, LabelParams, TrainParams, EvaluateParams])
def test_each_stage_of_the_backbone_chooses_the_same(stage):
    assert load_params(stage, folder=ROOT).backbone_name == "sam_tiny"
    assert load_params(stage, {"dataset": "folder"}, ROOT).backbone_name == "lite_medsam"
    changes = {"dataset": "folder", "backbone": "sam_vit_b"}
    assert load_params(stage, changes, ROOT).backbone_name == "sam_vit_b"


def test_the_message_about_another_name_lists_all_names(rejection):
    assert rejection("backbone: vit_b\n") == (
        "params.yaml: backbone: must be 'auto', 'sam_tiny', 'lite_medsam', 'medsam_vit_b', "
        "'sam_vit_b', 'sam_vit_l' or 'sam_vit_h', found 'vit_b'"
    )


def test_the_description_names_the_backbones_of_auto():
    description = BackboneParams.model_fields["backbone"].description
    assert description is not None
    for name in ("auto", "sam_tiny", "lite_medsam"):
        assert f"`{name}`" in description

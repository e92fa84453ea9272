"""The parameters of each stage: its own keys, and no others."""

import pytest

from automedsam.runtime.parameters.config import AutoMedSAMConfig
from automedsam.runtime.parameters.stages import (
    AllParams,
    EmbedParams,
    EvaluateParams,
    LabelParams,
    PrepareParams,
    TrainParams,
)

STAGES = [PrepareParams, EmbedParams, LabelParams, TrainParams, EvaluateParams]


def test_all_params_are_those_of_the_stages():
    keys = set().union(*(stage.model_fields for stage in STAGES))
    assert set(AllParams.model_fields) == keys == set(AutoMedSAMConfig.model_fields)


@pytest.mark.parametrize("stage", STAGES)
def test_a_key_has_one_definition(stage):
    for key, field in stage.model_fields.items():
        assert repr(field) == repr(AutoMedSAMConfig.model_fields[key])


@pytest.mark.parametrize(
    ("stage", "key"),
    [
        (PrepareParams, "epochs"),
        (EmbedParams, "epochs"),
        (LabelParams, "views"),
        (TrainParams, "data_dir"),
        (EvaluateParams, "seed"),
    ],
)
def test_a_key_of_another_stage_cannot_be_read(stage, key):
    with pytest.raises(AttributeError, match=f"no attribute '{key}'"):
        getattr(stage(), key)

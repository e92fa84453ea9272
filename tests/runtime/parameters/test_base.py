"""The base class of parameters: types, booleans, unknown keys and groups of keys."""

import pytest
from pydantic import ValidationError

from automedsam.runtime.parameters.base import Params
from automedsam.runtime.parameters.losses import BoxLossParams
from automedsam.runtime.parameters.prompter import PrompterParams
from automedsam.runtime.parameters.stages import TrainParams


class SomeParams(Params):
    count: int = 1
    rate: float | None = None
    is_on: bool = True


@pytest.mark.parametrize("text", ["1e-05", "1.0e-5", "0.00001"])
def test_numbers_are_read_from_text(text):
    rate = SomeParams(rate=text).rate
    assert (type(rate), rate) == (float, 1e-5)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("key", ["count", "rate"])
def test_booleans_are_not_numbers(key, value):
    with pytest.raises(ValidationError, match="must not be true or false"):
        SomeParams(**{key: value})
    assert SomeParams(is_on=value).is_on is value


@pytest.mark.parametrize("value", ["nan", "inf", float("nan"), float("-inf")])
def test_numbers_must_be_finite(value):
    with pytest.raises(ValidationError, match="finite number"):
        SomeParams(rate=value)


def test_unknown_keys_are_rejected():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        SomeParams(counts=1)


def test_only_returns_the_keys_of_one_group():
    params = TrainParams(lambda_size=0.5, epochs=7)
    losses = params.only(BoxLossParams)
    assert losses == BoxLossParams(lambda_size=0.5).model_dump()
    assert list(losses) == list(BoxLossParams.model_fields)


def test_only_rejects_a_group_that_the_parameters_lack():
    with pytest.raises(AttributeError, match="no attribute 'prompting'"):
        BoxLossParams().only(PrompterParams)

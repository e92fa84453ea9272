"""Readers of a params.yaml that a test writes."""

import pytest

from automedsam.runtime.errors import InputError
from automedsam.runtime.parameters.loading import load_config


@pytest.fixture
def load(tmp_path):
    """Load a params.yaml with this text."""

    def load_text(text):
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        return load_config(tmp_path / "params.yaml")

    return load_text


@pytest.fixture
def rejection(load, tmp_path):
    """Load a params.yaml that is invalid; return the message with the bare name of the file."""

    def message_for(text):
        with pytest.raises(InputError) as caught:
            load(text)
        message = str(caught.value).replace(str(tmp_path / "params.yaml"), "params.yaml")
        assert message.startswith("params.yaml: ")
        assert "\n" not in message
        return message

    return message_for

"""The soft masks of a few fixed cases over the epochs: which are kept, and that they come back."""

import numpy as np
import pytest
import torch

from automedsam.cases.case import Case
from automedsam.training.progress import (
    SHOWN_CASES,
    SHOWN_EPOCHS,
    add_progress,
    load_progress,
    shown_cases,
    shown_epochs,
)


def make_case(name, boxes_xyxy=((0, 0, 2, 2), (3, 1, 4, 2))):
    return Case(name, name, "val", 4, 6, boxes_xyxy)


def test_first_cases_with_an_object_are_shown():
    cases = [make_case("a", ()), *(make_case(name) for name in "bcdef")]
    assert [case.name for case in shown_cases(cases)] == ["b", "c", "d"][:SHOWN_CASES]


def test_fewer_cases_than_wanted_are_all_shown():
    assert shown_cases([make_case("a"), make_case("b", ())]) == [make_case("a")]


@pytest.mark.parametrize("epochs", [1, 2, 3, 5, 10, 100, 1000])
def test_epochs_run_from_the_first_to_the_last_ever_further_apart(epochs):
    shown = sorted(shown_epochs(epochs))
    gaps = np.diff(shown).tolist()
    assert (shown[0], shown[-1]) == (1, epochs)
    assert len(shown) <= SHOWN_EPOCHS
    assert gaps == sorted(gaps)


def test_probabilities_come_back_in_8_bits(tmp_path):
    logits = torch.tensor([[-torch.inf, -1.0, 0.0], [1.0, 2.0, torch.inf]])[None, None]
    add_progress(tmp_path / "progress.safetensors", 1, [make_case("a")], [logits])
    mask = load_progress(tmp_path / "progress.safetensors")["a"][1]
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 69, 127], [186, 225, 255]]


def test_epochs_add_up_in_order_of_number(tmp_path):
    path = tmp_path / "model" / "progress.safetensors"
    cases = [make_case("b/2"), make_case("a")]
    for epoch in (10, 2, 1):
        add_progress(
            path, epoch, cases, [torch.full((1, 1, 4, 6), float(epoch)), torch.zeros(1, 1, 3, 5)]
        )
    shown = load_progress(path)
    assert list(shown) == ["a", "b/2"]
    assert [list(by_epoch) for by_epoch in shown.values()] == [[1, 2, 10]] * 2
    assert [mask[0, 0] for mask in shown["b/2"].values()] == [186, 225, 255]
    assert shown["a"][1].shape == (3, 5)


def test_an_epoch_run_again_replaces_its_masks(tmp_path):
    path = tmp_path / "progress.safetensors"
    add_progress(path, 1, [make_case("a")], [torch.zeros(1, 1, 2, 2)])
    once = path.read_bytes()
    add_progress(path, 1, [make_case("a")], [torch.full((1, 1, 2, 2), torch.inf)])
    assert (load_progress(path)["a"][1] == 255).all()
    add_progress(path, 1, [make_case("a")], [torch.zeros(1, 1, 2, 2)])
    assert path.read_bytes() == once


def test_a_mask_too_few_is_refused(tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        add_progress(
            tmp_path / "progress.safetensors",
            1,
            [make_case("a"), make_case("b")],
            [torch.zeros(1, 1, 2, 2)],
        )
    assert list(tmp_path.iterdir()) == []

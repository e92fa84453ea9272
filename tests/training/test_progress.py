"""Soft masks of a few fixed cases over the epochs: their selection, storage and order."""

import numpy as np
import pytest
import torch

from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE
from automedsam.training.progress import (
    SHOWN_CASES,
    SHOWN_EPOCHS,
    add_progress,
    load_progress,
    shown_cases,
    shown_epochs,
)


def make_case(name, boxes_xyxy=((0, 0, 2, 2), (3, 1, 4, 2))):
    return Case(name, name, "val", 4, 6, {SINGLE_CLASS_VALUE: boxes_xyxy})


def test_the_first_cases_with_an_object_are_shown():
    cases = [make_case("a", ()), *(make_case(name) for name in "bcdef")]
    assert [case.name for case in shown_cases(cases)] == ["b", "c", "d"][:SHOWN_CASES]


def test_all_cases_are_shown_if_they_are_few():
    assert shown_cases([make_case("a"), make_case("b", ())]) == [make_case("a")]


@pytest.mark.parametrize("epochs", [1, 2, 3, 5, 10, 100, 1000])
def test_shown_epochs_reach_from_first_to_last_with_growing_gaps(epochs):
    shown = sorted(shown_epochs(epochs))
    gaps = np.diff(shown).tolist()
    assert (shown[0], shown[-1]) == (1, epochs)
    assert len(shown) <= SHOWN_EPOCHS
    assert gaps == sorted(gaps)


def test_probabilities_are_stored_in_8_bits(tmp_path):
    logits = torch.tensor([[-torch.inf, -1.0, 0.0], [1.0, 2.0, torch.inf]])[None, None]
    add_progress(tmp_path / "progress.safetensors", 1, [make_case("a")], [logits])
    mask = load_progress(tmp_path / "progress.safetensors")["a"][1]
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 69, 127], [186, 225, 255]]


def test_epochs_are_added_and_read_in_numerical_order(tmp_path):
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


def test_a_repeated_epoch_replaces_its_masks(tmp_path):
    path = tmp_path / "progress.safetensors"
    add_progress(path, 1, [make_case("a")], [torch.zeros(1, 1, 2, 2)])
    once = path.read_bytes()
    add_progress(path, 1, [make_case("a")], [torch.full((1, 1, 2, 2), torch.inf)])
    assert (load_progress(path)["a"][1] == 255).all()
    add_progress(path, 1, [make_case("a")], [torch.zeros(1, 1, 2, 2)])
    assert path.read_bytes() == once


def test_a_missing_mask_is_rejected(tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        add_progress(
            tmp_path / "progress.safetensors",
            1,
            [make_case("a"), make_case("b")],
            [torch.zeros(1, 1, 2, 2)],
        )
    assert list(tmp_path.iterdir()) == []

"""Self-training: rounds that start again, and learn from self-labels."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE
from automedsam.model.automedsam import AutoMedSAM
from automedsam.training import locating
from automedsam.training.cross_validation import CrossValidation
from automedsam.training.locating import LocatingRecipe
from automedsam.training.self_labels import SelfLabel
from automedsam.training.trainer import Trainer
from training_fixtures import (
    LOCATING,
    RECIPE,
    TrainingFixtures,
    equal,
    prompter_state,
    run,
)

ROUND = {"epochs": 2, "steps_per_epoch": 3}


@pytest.fixture
def unlabelled(cases: list[Case]) -> list[Case]:
    """The validation cases as if nobody had boxed them."""
    return [replace(case, split="unlabelled", boxes={SINGLE_CLASS_VALUE: ()}) for case in cases[3:]]


@pytest.fixture(autouse=True)
def _all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrained model is sure of nothing, so every label is used."""

    def use_all(labels: list[SelfLabel], boxed_cases: list[Case]) -> list[SelfLabel]:
        return labels

    monkeypatch.setattr(locating, "choose_self_labels", use_all)


def recipe_of(trainer: Trainer) -> LocatingRecipe:
    assert isinstance(trainer.recipe, LocatingRecipe)
    return trainer.recipe


def test_the_first_round_is_the_training_without_unlabelled_cases(
    material: TrainingFixtures, cases: list[Case], unlabelled: list[Case]
) -> None:
    alone = run(material.locating(**ROUND), cases, 2)
    trainer = run(material.locating(unlabelled=unlabelled, **ROUND), cases, 2)
    assert trainer.history == alone.history
    assert equal(prompter_state(trainer), prompter_state(alone))
    assert recipe_of(trainer).self_labels == []


def test_the_second_round_starts_from_the_initial_weights(
    material: TrainingFixtures, cases: list[Case], unlabelled: list[Case]
) -> None:
    """The weights after `begin_epoch` are the initial ones, and the reduction is kept."""
    trainer = material.locating(unlabelled=unlabelled, **ROUND)
    initial = prompter_state(trainer)
    run(trainer, cases, 2)
    trained = prompter_state(trainer)
    trainer.recipe.begin_epoch(cases[:3], 3)
    state = prompter_state(trainer)
    names = {name for name, _ in trainer.context.model.prompter.named_parameters()}
    assert all(torch.equal(state[name], initial[name]) for name in names)
    assert any(not torch.equal(state[name], trained[name]) for name in names)
    assert all(torch.equal(state[name], trained[name]) for name in state.keys() - names)
    assert trainer.recipe.schedule.last_epoch == 0
    assert equal(recipe_of(trainer).learner.state_dict(), state)


def test_labels_are_those_of_the_model_before_the_round(
    material: TrainingFixtures, cases: list[Case], unlabelled: list[Case]
) -> None:
    trainer = run(material.locating(unlabelled=unlabelled, **ROUND), cases, 2)
    with torch.inference_mode():
        expected = [trainer.context.predict([case])[1].presence for case in unlabelled]
    trainer.recipe.begin_epoch(cases[:3], 3)
    labels = trainer.recipe.self_labels
    assert [label.case for label in labels] == unlabelled
    assert [torch.tensor([[label.presence]]) for label in labels] == expected
    assert trainer.figures() == {"self_labels": 2}


@pytest.mark.parametrize("source", ["image", "embedding", "both"])
def test_half_of_each_batch_is_self_labelled(
    material: TrainingFixtures, cases: list[Case], unlabelled: list[Case], source: str
) -> None:
    trainer = material.locating(unlabelled=unlabelled, source=source, batch_size=4, **ROUND)
    run(trainer, cases, 2)
    trainer.recipe.begin_epoch(cases[:3], 3)
    batches = []
    for batch, terms in trainer.recipe.losses(cases[:3], 3):
        batches.append(batch)
        terms["loss"].backward()
        trainer.recipe.optimizer.step()
    assert [[case.split for case in batch] for batch in batches] == [
        ["train", "unlabelled"] * 2
    ] * 3
    names = [case.name for batch in batches for case in batch]
    assert sorted(names) == sorted("aabbcc" + "dddeee")


def test_cases_without_a_used_label_are_not_learned_from(
    material: TrainingFixtures,
    cases: list[Case],
    unlabelled: list[Case],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reject_all(labels: list[SelfLabel], boxed_cases: list[Case]) -> list[SelfLabel]:
        return [replace(label, rejection="is odd") for label in labels]

    monkeypatch.setattr(locating, "choose_self_labels", reject_all)
    trainer = run(material.locating(unlabelled=unlabelled, **ROUND), cases, 3)
    assert trainer.figures() == {"self_labels": 0}
    alone = run(material.locating(**ROUND | {"epochs": 3}), cases, 1)
    first = run(material.locating(**ROUND), cases, 1)
    assert alone.history != trainer.history[2:]
    assert first.history[0]["learning_rate"] == trainer.history[2]["learning_rate"]


def test_a_resumed_round_ends_like_an_uninterrupted_one(
    material: TrainingFixtures, cases: list[Case], unlabelled: list[Case]
) -> None:
    """Stopped at the end of the first round, and within the second one."""
    whole = run(material.locating(unlabelled=unlabelled, **ROUND), cases, 4)
    for stop in (2, 3):
        stopped = run(material.locating(unlabelled=unlabelled, **ROUND), cases, stop)
        state = stopped.state_dict()
        resumed = material.locating(unlabelled=unlabelled, **ROUND)
        resumed.load_state_dict(state)
        run(resumed, cases, 4 - stop)
        assert resumed.history == whole.history
        assert equal(prompter_state(resumed), prompter_state(whole))
        labels, expected = resumed.recipe.self_labels, whole.recipe.self_labels
        assert [label.presence for label in labels] == [label.presence for label in expected]
        assert all(
            torch.equal(one.mask, other.mask) for one, other in zip(labels, expected, strict=True)
        )


def test_the_state_can_be_stored_without_pickled_objects(
    material: TrainingFixtures, cases: list[Case], unlabelled: list[Case], tmp_path
) -> None:
    trainer = run(material.locating(unlabelled=unlabelled, **ROUND), cases, 3)
    torch.save(trainer.state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert len(state["recipe"]["self_labels"]) == 2


def test_the_models_of_a_cross_validation_have_rounds_of_their_own(
    material: TrainingFixtures, cases: list[Case], unlabelled: list[Case]
) -> None:
    """Interrupted in the second round, it ends like an uninterrupted one."""
    folds = [cases[:1], cases[1:2]]

    def create() -> CrossValidation:
        torch.manual_seed(0)
        context = material.context(AutoMedSAM(material.weights, "locate"))
        context = replace(context, unlabelled=unlabelled)
        return CrossValidation(context, partial(LocatingRecipe, **RECIPE | LOCATING | ROUND), folds)

    def train(trainer: CrossValidation, epochs: int) -> CrossValidation:
        for _ in range(epochs):
            trainer.run_epoch(cases[:2], cases[:2])
        return trainer

    whole = train(create(), 4)
    counts = [len(one.recipe.self_labels) for one in (whole, *whole.trainers)]
    assert counts == [2, 2, 2]
    first, second = (one.recipe.self_labels for one in whole.trainers)
    assert not torch.equal(first[0].mask, second[0].mask)
    resumed = create()
    resumed.load_state_dict(train(create(), 3).state_dict())
    assert train(resumed, 1).history == whole.history


def test_a_batch_of_one_case_takes_turns(
    material: TrainingFixtures, cases: list[Case], unlabelled: list[Case]
) -> None:
    trainer = run(material.locating(unlabelled=unlabelled, batch_size=1, **ROUND), cases, 2)
    trainer.recipe.begin_epoch(cases[:3], 3)
    splits = []
    for batch, terms in trainer.recipe.losses(cases[:3], 3):
        splits += [case.split for case in batch]
        terms["loss"].backward()
        trainer.recipe.optimizer.step()
    assert splits == ["train", "unlabelled", "train"]

"""Model, embeddings and test masks -> metrics/ and data/predictions: how good it is, beside what needs no learning.

    python stages/evaluate.py

The yardsticks: the same frozen backbone prompted with the true box (the most that a perfect prompt would give) and with
the mean box of the training cases (no learning at all), and the true box filled as if it were the mask. Images without
a mask are measured by the overlap of boxes alone; volumes also as a whole; all of it class by class.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from tqdm import tqdm

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import EDGES
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass, read_classes, to_json
from automedsam.cases.index import read_index
from automedsam.cases.masks import to_labels, to_soft_mask
from automedsam.evaluation.evaluator import CaseEvaluation, CaseEvaluator
from automedsam.evaluation.scores import COLUMNS, VOLUME_COLUMNS, Scores, mean_scores, score_volumes
from automedsam.model.segmenter import Segmenter
from automedsam.model.trained import load_model, trained_classes
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.errors import InputError
from automedsam.runtime.files import atomic_folder, write_metrics, write_table
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.params import load_params
from automedsam.runtime.paths import (
    CLASSES,
    EMBEDDINGS,
    IMAGES,
    INDEX,
    PER_CASE,
    PER_CLASS,
    PER_VOLUME,
    PREDICTED_MASKS,
    PREDICTIONS,
    PROMPT_MODULE,
    PROMPTS,
    SOFT_MASKS,
    SUMMARY,
    TEST_MASKS,
)
from automedsam.runtime.script import run
from automedsam.supervision.box_losses import LOSS_KEYS, AutoMedSAMLoss

NAMES = ("case", "group", "class")


def main() -> None:
    params = load_params("evaluate")
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone, params.medsam_checkpoint)
    embeddings = EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype)
    cases, classes = read_index(INDEX, "test"), read_classes(CLASSES)
    embeddings.check(cases)
    check_model(classes)
    segmenter = Segmenter(load_model(PROMPT_MODULE, weights, compute.device), compute)
    examiner = CaseEvaluator(
        segmenter, AutoMedSAMLoss(**params.pick(*LOSS_KEYS)), classes, read_index(INDEX, "train")
    )
    if not any(case.has_mask for case in cases):
        print(
            "no test image has a mask: overlap with the boxes is all that can be measured, no Dice"
        )

    examined: list[CaseEvaluation] = []
    prompts: list[list[dict[str, float]]] = []  # of each case those of its classes
    with atomic_folder(PREDICTIONS) as folder:
        for case in tqdm(cases, "evaluate", unit="case"):
            embedding = embeddings.load([case], compute.device)
            logits, of_case = segmenter.segment(embedding, read_image(IMAGES / f"{case.name}.png"))
            labels = to_labels(logits, classes)
            true_labels = read_image(TEST_MASKS / f"{case.name}.png") if case.has_mask else None
            examined.append(examiner.evaluate(case, embedding, logits, labels, true_labels))
            prompts.append(of_case)
            write_image(folder / PREDICTED_MASKS.name / f"{case.name}.png", labels)
            write_image(folder / SOFT_MASKS.name / f"{case.name}.png", to_soft_mask(logits))
        write_table(
            folder / PROMPTS.name, with_names(cases, classes, prompts), [*NAMES, *EDGES, "presence"]
        )
        report(cases, classes, examined)


def check_model(classes: list[ObjectClass]) -> None:
    """Refuse a model of other classes than those that the test cases are prepared for.

    Raises:
      InputError: naming both.
    """
    learned = trained_classes(PROMPT_MODULE)
    if learned != classes:
        raise InputError(
            f"{PROMPT_MODULE}: expected a model of {to_json(classes)}, found one of {to_json(learned)}; run `dvc repro`"
        )


def report(cases: list[Case], classes: list[ObjectClass], examined: list[CaseEvaluation]) -> None:
    """Tables and summary of all scores; in words what they cannot tell."""
    scores = [of_case.scores for of_case in examined]
    measured = {
        case.name: of_case.overlaps
        for case, of_case in zip(cases, examined, strict=True)
        if of_case.overlaps
    }
    volumes = [
        {"class": of.name, **row}
        for number, of in enumerate(classes)
        for row in score_volumes(
            cases, {name: overlaps[number] for name, overlaps in measured.items()}
        )
    ]
    if not volumes and any(case.volume for case in cases):
        print("no volume is there with all of its slices and masks (keep_empty): no volume Dice")
    means = mean_of_classes(classes, scores, volumes)
    counts = {"n_volumes": len({row["volume"] for row in volumes})} if volumes else {}
    summary = summarize(means) | counts | {"n_cases": len(cases), "n_masks": len(measured)}
    if summary.get("dice", 1) < summary.get("mean_box_dice", 0):
        print(
            "worse than the mean box of the training cases, which needs no learning: was the training long enough?"
        )
    write_table(PER_CASE, with_names(cases, classes, scores), [*NAMES, *COLUMNS])
    write_table(
        PER_CLASS,
        [{"class": name, **of} for name, of in means.items()],
        ["class", *COLUMNS, "volume_dice"],
    )
    write_table(PER_VOLUME, sorted(volumes, key=itemgetter("volume")), VOLUME_COLUMNS)
    write_metrics(SUMMARY, summary)
    print(", ".join(f"{key} {value:.4g}" for key, value in summary.items()))


def with_names(
    cases: list[Case],
    classes: list[ObjectClass],
    rows: Sequence[Sequence[Mapping[str, float | None]]],
) -> list[dict[str, Any]]:
    """Each class's row of each case behind the names of both and the case's group, case by case."""
    return [
        {"case": case.name, "group": case.group, "class": of.name, **row}
        for case, of_case in zip(cases, rows, strict=True)
        for of, row in zip(classes, of_case, strict=True)
    ]


def mean_of_classes(
    classes: list[ObjectClass], scores: list[list[Scores]], volumes: list[dict[str, Any]]
) -> dict[str, dict[str, float]]:
    """The means of each class's scores, by its name; of those that any of its test cases or volumes has."""
    means = {}
    for of, of_class in zip(classes, zip(*scores, strict=True), strict=True):
        whole = [{"volume_dice": row["volume_dice"]} for row in volumes if row["class"] == of.name]
        means[of.name] = mean_scores([*of_class, *whole])
    return means


def summarize(means: dict[str, dict[str, float]]) -> dict[str, float]:
    """The mean over the classes; of several, each one's Dice, too, or the overlap of boxes where there is no mask."""
    summary = mean_scores(list(means.values()))
    score = "dice" if "dice" in summary else "box_iou"
    of_classes = {f"{score}_of_{name}": of[score] for name, of in means.items() if score in of}
    return summary | (of_classes if len(means) > 1 else {})


if __name__ == "__main__":
    run(main, __doc__)

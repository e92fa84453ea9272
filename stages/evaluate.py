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

from automedsam.boxes import EDGES
from automedsam.cases import Case, read_index
from automedsam.checkpoints import load_model
from automedsam.device import choose_compute
from automedsam.embeddings import EmbeddingFolder
from automedsam.images import read_pixels, write_image
from automedsam.losses import AutoMedSAMLoss
from automedsam.object_classes import read_classes
from automedsam.outputs import fresh_folder, write_metrics, write_table
from automedsam.params import load_params
from automedsam.paths import (
    CLASSES,
    EMBEDDINGS,
    IMAGES,
    INDEX,
    PER_CASE,
    PER_VOLUME,
    PREDICTED_MASKS,
    PREDICTIONS,
    PROMPT_MODULE,
    PROMPTS,
    SOFT_MASKS,
    SUMMARY,
    TEST_MASKS,
)
from automedsam.sam import Weights
from automedsam.scores import (
    COLUMNS,
    VOLUME_COLUMNS,
    Overlap,
    Scores,
    mean_relative_box,
    mean_scores,
    score_losses,
    score_mask,
    score_volumes,
    score_yardsticks,
)
from automedsam.segmenter import Segmenter, to_labels, to_soft_mask
from automedsam.stage import run

NAMES = ("case", "group", "class")


def main() -> None:
    params = load_params("evaluate")
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone, params.medsam_checkpoint)
    embeddings = EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype)
    cases, train_cases, classes = read_index(INDEX, "test"), read_index(INDEX, "train"), read_classes(CLASSES)
    mean_boxes = [mean_relative_box([case.of_class(of.value) for case in train_cases]) for of in classes]
    embeddings.check(cases)
    segmenter = Segmenter(load_model(PROMPT_MODULE, weights, compute.device), compute)
    loss_keys = ("lambda_tightness", "lambda_size", "barrier_t", "band_width", "size_lower", "size_upper",
                 "box_margin")  # fmt: skip
    criterion = AutoMedSAMLoss(**params.pick(*loss_keys))
    if not any(case.has_mask for case in cases):
        print("no test image has a mask: overlap with the boxes is all that can be measured, no Dice")

    names = [of.name for of in classes]
    scores: dict[str, list[Scores]] = {name: [] for name in names}
    prompts: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    overlaps: dict[str, dict[str, Overlap]] = {name: {} for name in names}
    with fresh_folder(PREDICTIONS) as folder:
        for case in tqdm(cases, "evaluate", unit="case"):
            truth = read_pixels(TEST_MASKS / f"{case.name}.png") if case.has_mask else None
            embedding = embeddings.load([case], compute.device)
            logits, of_case = segmenter.segment(embedding, read_pixels(IMAGES / f"{case.name}.png"))
            labels = to_labels(logits, classes)
            given = [case.of_class(of.value) for of in classes]
            truths = None if truth is None else [truth == of.value for of in classes]
            yardsticks: list[Scores] = [{} for _ in classes]
            if truths is not None:
                yardsticks = score_yardsticks(segmenter, embedding, given, truths, mean_boxes)
            for number, (of, one) in enumerate(zip(classes, logits.split(1, dim=1), strict=True)):
                mask, true = labels == of.value, None if truths is None else truths[number]
                found = score_mask(mask, true, given[number], mean_boxes[number])
                scores[of.name].append(found | score_losses(criterion, one, given[number]) | yardsticks[number])
                prompts[of.name].append(of_case[number])
                if true is not None:
                    overlaps[of.name][case.name] = Overlap.of(mask, true)
            write_image(folder / PREDICTED_MASKS.name / f"{case.name}.png", labels)
            write_image(folder / SOFT_MASKS.name / f"{case.name}.png", to_soft_mask(logits))
        volumes = [{"class": name, **row} for name in names for row in score_volumes(cases, overlaps[name])]
        write_table(folder / PROMPTS.name, with_names(cases, prompts), [*NAMES, *EDGES, "presence"])
        write_table(PER_CASE, with_names(cases, scores), [*NAMES, *COLUMNS])
        write_table(PER_VOLUME, sorted(volumes, key=itemgetter("volume")), VOLUME_COLUMNS)
        if not volumes and any(case.volume for case in cases):
            print("no volume is there with all of its slices and masks (keep_empty): no volume Dice")
        summary = summarize(scores, volumes) | {"n_cases": len(cases), "n_masks": len(overlaps[names[0]])}
        write_metrics(SUMMARY, summary)
    if summary.get("dice", 1) < summary.get("mean_box_dice", 0):
        print("worse than the mean box of the training cases, which needs no learning: was the training long enough?")
    print(", ".join(f"{key} {value:.4g}" for key, value in summary.items() if not isinstance(value, dict)))


def with_names(cases: list[Case], rows_of: Mapping[str, Sequence[Mapping[str, float | None]]]) -> list[dict[str, Any]]:
    """Each class's row of each case behind the names of both and the case's group, case by case."""
    return [
        {"case": case.name, "group": case.group, "class": name, **rows[number]}
        for number, case in enumerate(cases)
        for name, rows in rows_of.items()
    ]


def summarize(scores: Mapping[str, list[Scores]], volumes: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean over the classes of each one's mean scores; of several also those, under `classes`."""
    means = {
        name: mean_scores([*rows, *({"volume_dice": row["volume_dice"]} for row in volumes if row["class"] == name)])
        for name, rows in scores.items()
    }
    summary: dict[str, Any] = mean_scores(list(means.values()))
    summary |= {"n_volumes": len({row["volume"] for row in volumes})} if volumes else {}
    return summary | ({"classes": means} if len(means) > 1 else {})


if __name__ == "__main__":
    run(main, __doc__)

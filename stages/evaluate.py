"""Model, embeddings and test masks -> metrics/ and data/predictions: how good it is, beside what needs no learning.

    python stages/evaluate.py

The yardsticks: the same frozen backbone prompted with the true box (the most that a perfect prompt would give) and with
the mean box of the training cases (no learning at all), and the true box filled as if it were the mask. Images without
a mask are measured by the overlap of boxes alone; volumes also as a whole.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from automedsam.boxes import EDGES
from automedsam.cases import Case, read_index
from automedsam.checkpoints import load_model
from automedsam.device import choose_compute
from automedsam.embeddings import EmbeddingFolder
from automedsam.images import read_pixels, write_image
from automedsam.losses import AutoMedSAMLoss
from automedsam.outputs import fresh_folder, write_metrics, write_table
from automedsam.params import load_params
from automedsam.paths import (
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
from automedsam.segmenter import Segmenter, to_mask, to_soft_mask
from automedsam.stage import run

NAMES = ("case", "group")


def main() -> None:
    params = load_params("evaluate")
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone, params.medsam_checkpoint)
    embeddings = EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype)
    cases, mean_box = read_index(INDEX, "test"), mean_relative_box(read_index(INDEX, "train"))
    embeddings.check(cases)
    segmenter = Segmenter(load_model(PROMPT_MODULE, weights, compute.device), compute)
    loss_keys = ("lambda_tightness", "lambda_size", "barrier_t", "band_width", "size_lower", "size_upper",
                 "box_margin")  # fmt: skip
    criterion = AutoMedSAMLoss(**params.pick(*loss_keys))
    if not any(case.has_mask for case in cases):
        print("no test image has a mask: overlap with the boxes is all that can be measured, no Dice")

    scores: list[Scores] = []
    prompts, overlaps = [], {}
    with fresh_folder(PREDICTIONS) as folder:
        for case in tqdm(cases, "evaluate", unit="case"):
            truth = read_pixels(TEST_MASKS / f"{case.name}.png") > 0 if case.has_mask else None
            embedding = embeddings.load([case], compute.device)
            logits, prompt = segmenter.segment(embedding, read_pixels(IMAGES / f"{case.name}.png"))
            mask = to_mask(logits)
            of_case = score_mask(mask, truth, case, mean_box) | score_losses(criterion, logits, case)
            if truth is not None:
                of_case |= score_yardsticks(segmenter, embedding, case, truth, mean_box)
                overlaps[case.name] = Overlap.of(mask, truth)
            scores.append(of_case)
            prompts.append(prompt)
            write_image(folder / PREDICTED_MASKS.name / f"{case.name}.png", mask)
            write_image(folder / SOFT_MASKS.name / f"{case.name}.png", to_soft_mask(logits))
        volumes = score_volumes(cases, overlaps)
        write_table(folder / PROMPTS.name, with_names(cases, prompts), [*NAMES, *EDGES, "presence"])
        write_table(PER_CASE, with_names(cases, scores), [*NAMES, *COLUMNS])
        write_table(PER_VOLUME, volumes, VOLUME_COLUMNS)
        summary = mean_scores(scores) | {"n_cases": len(cases), "n_masks": len(overlaps)}
        if volumes:
            of_volumes = mean_scores([{"volume_dice": row["volume_dice"]} for row in volumes])
            summary |= of_volumes | {"n_volumes": len(volumes)}
        elif any(case.volume for case in cases):
            print("no volume is there with all of its slices and masks (keep_empty): no volume Dice")
        write_metrics(SUMMARY, summary)
    print(", ".join(f"{key} {value:.4g}" for key, value in summary.items()))


def with_names(cases: list[Case], rows: Sequence[Mapping[str, float | None]]) -> list[dict[str, Any]]:
    """Each row of scores behind its case's name and group."""
    return [{"case": case.name, "group": case.group, **row} for case, row in zip(cases, rows, strict=True)]


if __name__ == "__main__":
    run(main, __doc__)

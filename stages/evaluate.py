"""Model, embeddings and test masks -> metrics/ and data/predictions: how good it is, beside what needs no learning.

    python stages/evaluate.py

The yardsticks: the same frozen backbone prompted with the true box (the most that a perfect prompt would give) and with
the mean box of the training cases (no learning at all), and the true box filled as if it were the mask.
"""

from tqdm import tqdm

from automedsam.cases import read_index
from automedsam.checkpoints import load_model
from automedsam.device import choose_compute
from automedsam.embeddings import EmbeddingFolder
from automedsam.images import read_pixels, write_image
from automedsam.losses import AutoMedSAMLoss
from automedsam.outputs import fresh_folder, write_metrics, write_table
from automedsam.params import load_params
from automedsam.paths import (
    EMBEDDINGS,
    INDEX,
    PER_CASE,
    PREDICTED_MASKS,
    PREDICTIONS,
    PROMPT_MODULE,
    PROMPTS,
    SOFT_MASKS,
    SUMMARY,
    TEST_MASKS,
)
from automedsam.sam import Weights
from automedsam.scores import mean_relative_box, mean_scores, score_losses, score_mask, score_yardsticks
from automedsam.segmenter import Segmenter, to_mask, to_soft_mask
from automedsam.stage import run


def main() -> None:
    params = load_params("evaluate")
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone, params.medsam_checkpoint)
    embeddings = EmbeddingFolder(EMBEDDINGS, weights)
    cases, mean_box = read_index(INDEX, "test"), mean_relative_box(read_index(INDEX, "train"))
    embeddings.check(cases)
    segmenter = Segmenter(load_model(PROMPT_MODULE, weights, compute.device), compute)
    loss_keys = ("lambda_tightness", "lambda_size", "barrier_t", "band_width", "size_lower", "size_upper")
    criterion = AutoMedSAMLoss(**params.pick(*loss_keys))

    scores, prompts = [], []
    with fresh_folder(PREDICTIONS) as folder:
        for case in tqdm(cases, "evaluate", unit="case"):
            truth = read_pixels(TEST_MASKS / f"{case.name}.png") > 0
            embedding = embeddings.load([case], compute.device)
            logits, prompt = segmenter.segment(embedding, case.image_size)
            mask = to_mask(logits)
            of_yardsticks = score_yardsticks(segmenter, embedding, case, truth, mean_box)
            scores.append(score_mask(mask, truth) | of_yardsticks | score_losses(criterion, logits, case))
            prompts.append(prompt or {})
            write_image(folder / PREDICTED_MASKS.name / f"{case.name}.png", mask)
            write_image(folder / SOFT_MASKS.name / f"{case.name}.png", to_soft_mask(logits))
        named = [{"case": case.name, "group": case.group} for case in cases]
        write_table(folder / PROMPTS.name, [{**name, **prompt} for name, prompt in zip(named, prompts, strict=True)])
        write_table(PER_CASE, [{**name, **row} for name, row in zip(named, scores, strict=True)])
        summary = mean_scores(scores) | {"n_cases": len(cases)}
        write_metrics(SUMMARY, summary)
    print(", ".join(f"{key} {value:.4g}" for key, value in summary.items()))


if __name__ == "__main__":
    run(main)

"""Model, embeddings and test masks -> metrics and data/predictions: measure the trained model.

python stages/evaluate.py

Baselines are measured, too: the frozen backbone prompted with the true box (a perfect prompt) and
with the mean box of the training cases (no learning), and the true box filled as a mask. Without a
true mask, only boxes are compared. Volumes are also measured as a whole. The report ends in words.
"""

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.classes import read_classes, to_json
from automedsam.cases.index import read_index
from automedsam.cases.masks import to_labels, to_soft_mask
from automedsam.evaluation.evaluator import CaseEvaluator, CaseResult
from automedsam.evaluation.summary import PROMPT_COLUMNS, prompt_rows, write_report
from automedsam.model.segmenter import Segmenter
from automedsam.model.trained import load_model, read_header
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.errors import InputError
from automedsam.runtime.files import atomic_folder, write_table
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.parameters.loading import load_params
from automedsam.runtime.parameters.losses import BoxLossParams
from automedsam.runtime.parameters.stages import EvaluateParams
from automedsam.runtime.paths import (
    CLASSES,
    EMBEDDINGS,
    IMAGES,
    INDEX,
    PREDICTED_MASKS,
    PREDICTIONS,
    PROMPT_MODULE,
    PROMPTS,
    SOFT_MASKS,
    TEST_MASKS,
    image_path,
)
from automedsam.runtime.script import argument_parser, parse, progress_bar, run
from automedsam.supervision.box_losses import AutoMedSAMLoss


def main() -> None:
    parse(argument_parser(__doc__))
    params = load_params(EvaluateParams)
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone_name, params.medsam_checkpoint)
    embeddings = EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype)
    classes = read_classes(CLASSES)
    cases = read_index(INDEX, classes, "test")
    embeddings.check(cases)
    learned = read_header(PROMPT_MODULE).classes
    if learned != classes:
        raise InputError(
            f"{PROMPT_MODULE}: trained for the classes {to_json(learned)}, but the test cases have "
            f"{to_json(classes)}; run `dvc repro`"
        )
    segmenter = Segmenter(load_model(PROMPT_MODULE, weights, compute.device), compute)
    criterion = AutoMedSAMLoss(**params.only(BoxLossParams))
    train_cases = read_index(INDEX, classes, "train")
    evaluator = CaseEvaluator(segmenter, criterion, classes, train_cases)

    results: list[CaseResult] = []
    with atomic_folder(PREDICTIONS) as folder:
        for case in progress_bar(cases, "evaluate", "case"):
            embedding = embeddings.load([case], compute.device)
            predicted = segmenter.segment(embedding, read_image(image_path(IMAGES, case.name)))
            labels = to_labels(predicted.logits, classes)
            truth = read_image(image_path(TEST_MASKS, case.name)) if case.has_mask else None
            scores = evaluator.evaluate(case, embedding, predicted.logits, labels, truth)
            results.append(CaseResult(case, predicted.prompts, scores))
            write_image(image_path(folder / PREDICTED_MASKS.name, case.name), labels)
            soft_mask = to_soft_mask(predicted.logits)
            write_image(image_path(folder / SOFT_MASKS.name, case.name), soft_mask)
        write_table(folder / PROMPTS.name, prompt_rows(results, classes), PROMPT_COLUMNS)
        write_report(results, classes, train_cases, weights.name, params.medsam_checkpoint)


if __name__ == "__main__":
    run(main)

"""Boxes and embeddings -> data/model: the PromptModule, trained with AMP; no mask is read, no image encoder loaded.

    python stages/train.py

A run that was stopped goes on after its last whole epoch, if nothing that it depends on has changed since.
"""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.augmentation import embedded_view_count
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass, read_classes, to_json
from automedsam.cases.index import read_index
from automedsam.model.automedsam import AutoMedSAM
from automedsam.runtime.compute import Compute, be_deterministic, choose_compute
from automedsam.runtime.errors import InputError
from automedsam.runtime.files import write_metrics, write_table
from automedsam.runtime.params import StageParams, load_params
from automedsam.runtime.paths import (
    BOXES,
    CLASSES,
    EMBEDDINGS,
    HISTORY,
    IMAGES,
    INDEX,
    LABEL_REPORT,
    MODEL,
    PREPARATION,
    PROGRESS,
    PROMPT_MODULE,
    PSEUDO_LABELS,
    TRAIN_METRICS,
    cache_folder,
)
from automedsam.runtime.script import run
from automedsam.runtime.tensors import save_tensors
from automedsam.supervision.box_losses import LOSS_KEYS, AutoMedSAMLoss
from automedsam.supervision.targets import label_folders
from automedsam.training.direct import DirectTraining
from automedsam.training.inputs import CaseInputs
from automedsam.training.locating import LocatingTraining
from automedsam.training.progress import add_progress, shown_cases, shown_epochs
from automedsam.training.resume import TrainingFolder, hash_files, hash_sources
from automedsam.training.trainer import Setup, Training


def main() -> None:
    params = load_params("train")
    compute = choose_compute(params.device, params.use_amp)
    be_deterministic(params.seed)
    train_cases, val_cases = read_index(INDEX, "train"), read_index(INDEX, "val")
    classes = read_classes(CLASSES)
    weights = Weights(params.backbone, params.medsam_checkpoint)
    embeddings = EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype)
    embeddings.check(val_cases)
    views = embedded_view_count(params.views, params.augmentations)
    embeddings.check(train_cases, views)
    check_labels(params.prompting, classes)

    kind = params.pick("prompting", "prompt_source", "sparse_prompt")
    model = AutoMedSAM(weights, **kind, classes=len(classes)).to(compute.device)
    inputs = CaseInputs(model, embeddings, IMAGES, compute.device)
    training = create_training(model, compute, inputs, classes, views, params)
    trainable = sum(parameter.numel() for parameter in model.prompt_module.parameters())
    print(
        f"{params.backbone} on {compute}: {trainable:,} trainable parameters, {len(train_cases)} training cases"
    )

    header = {
        **params.as_text(),
        **embeddings.encoder,
        "precision": compute.precision,
        "classes": to_json(classes),
    }
    header["preparation"] = PREPARATION.read_text(
        encoding="utf-8"
    )  # for `predict`, to see images the same way
    of_cases = [files_of(case, classes, embeddings, views) for case in [*train_cases, *val_cases]]
    seen = [INDEX, BOXES, *(path for files in of_cases for path in files)]
    fingerprint = {**header, "inputs": hash_files(seen), "sources": hash_sources("train")}
    folder = TrainingFolder(cache_folder() / "train", fingerprint)
    fit(training, train_cases, val_cases, folder, header, params)
    training.finish(val_cases)
    save_tensors(folder.results / PROMPT_MODULE.name, training.best, header)
    folder.finish(MODEL)
    print(
        f"best epoch {training.best_row['epoch']}: validation box IoU {training.best_row['val_box_iou']:.3f}"
    )


def check_labels(prompting: str, classes: Sequence[ObjectClass]) -> None:
    """Raises InputError if there is nothing to learn to locate a class from."""
    for folder in label_folders(PSEUDO_LABELS, classes):
        if prompting == "locate" and not any(folder.glob("*.png")):
            other = (
                "prompting: direct with lambda_pseudo: 0"
                if len(classes) == 1
                else "leaving it out of class_ids"
            )
            raise InputError(
                f"{folder}: expected a pseudo-label that fits its box, found none, see {LABEL_REPORT}; "
                f"another backbone may help, or {other}"
            )


def create_training(
    model: AutoMedSAM,
    compute: Compute,
    inputs: CaseInputs,
    classes: Sequence[ObjectClass],
    views: int,
    params: StageParams,
) -> Training:
    """The one that `prompting` asks for."""
    criterion = AutoMedSAMLoss(**params.pick(*LOSS_KEYS))
    setup = Setup(
        model, criterion, compute, inputs, classes, PSEUDO_LABELS, params.batch_size, params.seed
    )
    recipe = params.pick("epochs", "learning_rate", "weight_decay")
    if params.prompting == "direct":
        return DirectTraining(setup, **recipe, **params.pick("lambda_pseudo", "lambda_box"))
    return LocatingTraining(
        setup, **recipe, **params.pick("steps_per_epoch", "augmentations"), views=views
    )


def files_of(
    case: Case, classes: Sequence[ObjectClass], embeddings: EmbeddingFolder, views: int
) -> list[Path]:
    """All that is read of a case; of one to train on, other views, too."""
    numbers = range(1 + (views if case.split == "train" else 0))
    labels = [folder / f"{case.name}.png" for folder in label_folders(PSEUDO_LABELS, classes)]
    image = IMAGES / f"{case.name}.png"
    return [
        image,
        *(label for label in labels if label.is_file()),
        *(embeddings.path(case, view) for view in numbers),
    ]


def fit(
    training: Training,
    train_cases: list[Case],
    val_cases: list[Case],
    folder: TrainingFolder,
    header: dict[str, str],
    params: StageParams,
) -> None:
    """Run the epochs that are left, leaving a trace of each."""
    if state := folder.load_state():
        training.load_state_dict(state)
        report(training)  # DVC has taken the last report away
        print(f"taking up the training that was stopped after epoch {len(training.history)}")
    watched = shown_cases(val_cases)
    done = len(training.history)
    epochs = tqdm(
        range(done + 1, params.epochs + 1), "train", initial=done, total=params.epochs, unit="epoch"
    )
    for epoch in epochs:
        training.run_epoch(train_cases, val_cases)
        if epoch in shown_epochs(params.epochs):
            add_progress(folder.results / PROGRESS.name, epoch, watched, training.segment(watched))
        if params.save_every and epoch % params.save_every == 0:
            state = training.model.prompt_module.state_dict()
            save_tensors(folder.results / f"epoch_{epoch:04d}.safetensors", state, header)
        report(training)
        folder.save_state(training.state_dict())
        last = training.history[-1]
        epochs.set_postfix(loss=f"{last['loss']:.4f}", val_box_iou=f"{last['val_box_iou']:.3f}")


def report(training: Training) -> None:
    """Where the training stands, for `dvc exp show` and the plots while it runs."""
    best = training.best_row
    write_table(HISTORY, training.history)
    of_best = {"best_epoch": best["epoch"], "best_val_box_iou": best["val_box_iou"]}
    write_metrics(TRAIN_METRICS, training.history[-1] | of_best)


if __name__ == "__main__":
    run(main, __doc__)

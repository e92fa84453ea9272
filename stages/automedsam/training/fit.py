"""All epochs of a training, with reports, snapshots and a resumable state after each."""

import logging
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from automedsam.cases.case import Case
from automedsam.runtime.files import write_metrics, write_table
from automedsam.runtime.paths import HISTORY, PROGRESS, PROMPT_MODULE, SELF_LABELS, TRAIN_METRICS
from automedsam.runtime.script import progress_bar
from automedsam.runtime.tensors import save_tensors
from automedsam.training.progress import add_progress, shown_cases, shown_epochs
from automedsam.training.resume import TrainingFolder
from automedsam.training.self_label_file import save_self_labels
from automedsam.training.self_labels import to_stored
from automedsam.training.trainer import Trainer

logger = logging.getLogger(__name__)


def fit(
    trainer: Trainer,
    train_cases: list[Case],
    val_cases: list[Case],
    folder: TrainingFolder,
    header: Mapping[str, Any],
    epochs: int,
    save_every: int | None,
) -> None:
    """Run the remaining epochs.

    Args:
      trainer: the trainer; its state is restored if the folder holds one.
      train_cases: cases to train on.
      val_cases: cases to validate on; all training cases, if they are held out in turn.
      folder: where results and the state are kept.
      header: header of the checkpoints.
      epochs: total number of epochs.
      save_every: interval of additional checkpoints in epochs; `None`: none.
    """
    if state := folder.load_state():
        trainer.load_state_dict(state)
        report(trainer)  # DVC has deleted the last report
        logger.info("resuming the training that stopped after epoch %d", len(trainer.history))
    watched = shown_cases(val_cases)
    done = len(trainer.history)
    bar = progress_bar(range(done + 1, epochs + 1), "train", "epoch", epochs, initial=done)
    for epoch in bar:
        trainer.run_epoch(train_cases, val_cases)
        if epoch in shown_epochs(epochs):
            add_progress(folder.results / PROGRESS.name, epoch, watched, trainer.segment(watched))
        if save_every and epoch % save_every == 0:
            state = trainer.context.model.prompter.state_dict()
            save_tensors(folder.results / f"epoch_{epoch:04d}.safetensors", state, header)
        report(trainer)
        folder.save_state(trainer.state_dict())
        _show(bar, trainer.history[-1], epochs)


def keep_best(
    trainer: Trainer, val_cases: list[Case], folder: TrainingFolder, header: Mapping[str, Any]
) -> None:
    """Calibrate the best epoch, and make it the output of the stage.

    Args:
      trainer: the trainer, after its last epoch.
      val_cases: as for `fit`.
      folder: the results so far; they are moved, and the folder is deleted.
      header: header of the model.
    """
    trainer.finish(val_cases)
    report(trainer)
    save_tensors(folder.results / PROMPT_MODULE.name, trainer.best, header)
    labels = to_stored(trainer.recipe.self_labels, trainer.context.model.preprocessing)
    save_self_labels(folder.results / SELF_LABELS.name, labels)
    folder.finish(PROMPT_MODULE.parent)
    logger.info("%s", trainer.describe_best())


def report(trainer: Trainer) -> None:
    """Write the history and the metrics so far, for `dvc exp show` and the plots."""
    best = trainer.best_row
    write_table(HISTORY, trainer.history)
    summary = {"best_epoch": best["epoch"], "best_val_box_iou": best["val_box_iou"]}
    write_metrics(TRAIN_METRICS, {**trainer.history[-1], **summary, **trainer.figures()})


def _show(bar: "tqdm[int]", row: dict[str, float], epochs: int) -> None:
    """Show the results of an epoch in the bar, or as a line where no bar is shown."""
    loss, overlap = f"{row['loss']:.4f}", f"{row['val_box_iou']:.3f}"
    bar.set_postfix(loss=loss, val_box_iou=overlap)
    if bar.disable:
        logger.info("epoch %d of %d: loss %s, val_box_iou %s", row["epoch"], epochs, loss, overlap)

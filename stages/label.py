"""Boxes and embeddings -> data/pseudo_labels: masks of the frozen backbone for training boxes.

python stages/label.py

No true mask is read. A pseudo-label that does not fit its box is rejected and listed. The summary
and metrics/labels.json state how well the masks agree with the boxes; plots/pseudo_labels.png shows
them.
"""

import logging

import numpy as np

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.classes import read_classes
from automedsam.cases.index import read_index
from automedsam.figures.label_sheet import LabelSheet, ShownLabel
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.files import atomic_folder, write_metrics
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.parameters.loading import load_params
from automedsam.runtime.parameters.stages import LabelParams
from automedsam.runtime.paths import (
    CLASSES,
    EMBEDDINGS,
    IMAGES,
    INDEX,
    LABEL_METRICS,
    LABEL_REPORT,
    PSEUDO_LABELS,
    image_path,
)
from automedsam.runtime.script import argument_parser, parse, progress_bar, run
from automedsam.supervision.label_report import LabelReport
from automedsam.supervision.pseudo_labels import PseudoLabeler

logger = logging.getLogger("automedsam.label")


def main() -> None:
    parse(argument_parser(__doc__))
    params = load_params(LabelParams)
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone_name, params.medsam_checkpoint)
    embeddings = EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype)
    classes = read_classes(CLASSES)
    cases = [case for case in read_index(INDEX, classes, "train") if case.has_object]
    embeddings.check(cases)
    labeler = PseudoLabeler(weights, compute)

    report, sheet = LabelReport(classes), LabelSheet("pseudo-label", "given box")
    with atomic_folder(PSEUDO_LABELS) as folder:
        for case in progress_bar(cases, "label", "case"):
            image = read_image(image_path(IMAGES, case.name))
            embedding = embeddings.load([case], compute.device)
            for label in labeler.label(embedding, case, classes):
                cls, rejection = label.object_class, label.rejection
                name, boxes_xyxy = classes.label_of(case.name, cls), case.boxes[cls.value]
                score = f"agreement {label.box_agreement:.2f}"
                report.add(label)
                sheet.add(ShownLabel(name, boxes_xyxy, image, label.probability, score, rejection))
                if rejection is not None:
                    logger.warning("pseudo-label of %s rejected: it %s", name, rejection)
                    continue
                pixels = (255 * label.probability).round().astype(np.uint8)
                write_image(image_path(classes.folder_of(folder, cls), case.name), pixels)
    sheet.draw(LABEL_REPORT, report.title())
    write_metrics(LABEL_METRICS, report.metrics())
    for warning in report.warnings(weights.name):
        logger.warning("%s", warning)
    logger.info("%s", report.summary())


if __name__ == "__main__":
    run(main)

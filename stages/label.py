"""Boxes and embeddings -> data/pseudo_labels: the masks that the frozen backbone makes of the training boxes.

    python stages/label.py

No true mask is read. What does not fit its box is dropped and told of; plots/pseudo_labels.png shows them all.
"""

import numpy as np
from tqdm import tqdm

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.classes import read_classes
from automedsam.cases.index import read_index
from automedsam.figures.label_sheet import Labelled, LabelReport
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.files import atomic_folder
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.params import load_params
from automedsam.runtime.paths import CLASSES, EMBEDDINGS, IMAGES, INDEX, LABEL_REPORT, PSEUDO_LABELS
from automedsam.runtime.script import run
from automedsam.supervision.pseudo_labels import PseudoLabeler
from automedsam.supervision.targets import label_folders


def main() -> None:
    params = load_params("label")
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone, params.medsam_checkpoint)
    embeddings = EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype)
    cases = [case for case in read_index(INDEX, "train") if case.has_object]
    classes = read_classes(CLASSES)
    embeddings.check(cases)
    labeller = PseudoLabeler(weights, compute)

    report = LabelReport()
    with atomic_folder(PSEUDO_LABELS) as folder:
        places = dict(zip(classes, label_folders(folder, classes), strict=True))
        for case in tqdm(cases, "label", unit="case"):
            image = read_image(IMAGES / f"{case.name}.png")
            for of, label, fault in labeller.label(
                embeddings.load([case], compute.device), case, classes
            ):
                name = case.name if len(classes) == 1 else f"{case.name}, {of.name}"
                report.add(Labelled(name, case.of_class(of.value).boxes_xyxy, image, label, fault))
                if fault is None:
                    write_image(
                        places[of] / f"{case.name}.png", (255 * label).round().astype(np.uint8)
                    )
                else:
                    print(f"{name}: dropped, it {fault}")
    report.draw(LABEL_REPORT)
    print(f"{report.kept} pseudo-labels kept, {report.dropped} dropped")


if __name__ == "__main__":
    run(main, __doc__)

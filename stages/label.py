"""Boxes and embeddings -> data/pseudo_labels: the masks that the frozen backbone makes of the training boxes.

    python stages/label.py

No true mask is read. What does not fit its box is dropped and told of; plots/pseudo_labels.png shows them all.
"""

from collections import Counter

import numpy as np
from tqdm import tqdm

from automedsam.cases import read_index
from automedsam.decoder import PromptableDecoder
from automedsam.device import choose_compute
from automedsam.embeddings import EmbeddingFolder
from automedsam.images import read_pixels, write_image
from automedsam.label_report import SHOWN, Labelled, draw_labels
from automedsam.object_classes import read_classes
from automedsam.outputs import fresh_folder
from automedsam.params import load_params
from automedsam.paths import CLASSES, EMBEDDINGS, IMAGES, INDEX, LABEL_REPORT, PSEUDO_LABELS
from automedsam.pseudo_labels import label_folders, make_pseudo_label, sort_out
from automedsam.sam import Weights
from automedsam.stage import run


def main() -> None:
    params = load_params("label")
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone, params.medsam_checkpoint)
    embeddings = EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype)
    cases = [case for case in read_index(INDEX, "train") if case.has_object]
    classes = read_classes(CLASSES)
    embeddings.check(cases)
    decoder = PromptableDecoder(weights.load_prompt_encoder(), weights.load_mask_decoder()).to(compute.device).eval()
    preprocessing = weights.backbone.preprocessing

    kept: list[Labelled] = []
    dropped: list[Labelled] = []
    counts = Counter[bool]()  # of labels, by whether they are at fault
    with fresh_folder(PSEUDO_LABELS) as folder:
        places = dict(zip(classes, label_folders(folder, classes), strict=True))
        for case in tqdm(cases, "label", unit="case"):
            embedding = embeddings.load([case], compute.device)
            image = read_pixels(IMAGES / f"{case.name}.png")
            boxed = {of: given for of in classes if (given := case.of_class(of.value)).has_object}
            boxes = {of.value: given.boxes_xyxy for of, given in boxed.items()}
            labels = {
                of.value: make_pseudo_label(decoder, preprocessing, compute, embedding, given)
                for of, given in boxed.items()
            }
            sorted_out = sort_out(labels, boxes)
            for of in boxed:
                label, fault = sorted_out[of.value]
                name = case.name if len(classes) == 1 else f"{case.name}, {of.name}"
                if fault is None:
                    write_image(places[of] / f"{case.name}.png", (255 * label).round().astype(np.uint8))
                else:
                    print(f"{name}: dropped, it {fault}")
                counts[fault is not None] += 1
                sheet = dropped if fault else kept
                if len(sheet) < SHOWN:
                    sheet.append(Labelled(name, boxes[of.value], image, label, fault))
    draw_labels(LABEL_REPORT, dropped + kept)
    print(f"{counts[False]} pseudo-labels kept, {counts[True]} dropped")


if __name__ == "__main__":
    run(main, __doc__)

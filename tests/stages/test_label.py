"""The label stage on phantoms: a label for each sound box, the others told of; no mask and no other split is read."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from automedsam.backbone.embeddings import EmbeddingFolder, EmbeddingStore
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import fill_boxes, tight_box
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass, write_classes
from automedsam.cases.index import write_index
from automedsam.datasets.phantoms import draw_phantom
from automedsam.evaluation.metrics import dice
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.paths import CLASSES, EMBEDDINGS, IMAGES, INDEX, LABEL_REPORT, PSEUDO_LABELS
from label import main
from repository import STAGES
from training_fixtures import OBJECT

PHANTOMS = {
    name: draw_phantom(np.random.default_rng([6, number])) for number, name in enumerate("abcd")
}


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """Prepared and embedded: a and b are boxed, c's box is of something else, d is to validate with, e is empty."""
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copyfile(STAGES.parent / name, name)
    boxes = {name: (tight_box(phantom.mask),) for name, phantom in PHANTOMS.items()}
    cases = [Case(name, name, "train", 256, 256, boxes[name]) for name in "abcd"] + [
        Case("e", "e", "train", 256, 256)
    ]
    cases[2] = replace(cases[2], boxes_xyxy=((0, 0, 256, 256),))
    cases[3] = replace(cases[3], split="val")
    weights = Weights("sam_tiny")
    compute = choose_compute("cpu", use_amp=False)
    embeddings, encoder = EmbeddingFolder(EMBEDDINGS, weights, "float16"), Encoder(weights, compute)
    store = EmbeddingStore(tmp_path / "store", embeddings.encoder, compute.precision)
    for case in cases:
        image = PHANTOMS["a" if case.name == "e" else case.name].image
        write_image(IMAGES / f"{case.name}.png", image)
        store.write(embeddings.path(case), encoder(image))
    write_index(INDEX, cases)
    write_classes(CLASSES, OBJECT)
    return cases


def test_boxes_become_labels_that_are_nearly_the_truth(cases: list[Case]) -> None:
    main()
    for case in cases[:2]:
        label = read_image(PSEUDO_LABELS / f"{case.name}.png")
        assert dice(label > 127, PHANTOMS[case.name].mask) > 0.85
        assert not label[~fill_boxes(case.boxes_xyxy, case.image_size)].any()


def test_what_does_not_fit_its_box_is_dropped_and_told_of(
    cases: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    main()
    assert {path.name for path in PSEUDO_LABELS.iterdir()} == {"a.png", "b.png"}
    printed = capsys.readouterr().out
    assert "c: dropped, it " in printed
    assert "2 pseudo-labels kept, 1 dropped" in printed
    assert "% of its box" in printed or "short of a side" in printed


def test_labels_of_an_earlier_run_are_gone(cases: list[Case]) -> None:
    write_image(PSEUDO_LABELS / "former.png", np.zeros((4, 4), np.uint8))
    main()
    assert not (PSEUDO_LABELS / "former.png").exists()


def test_it_gives_the_same_bytes_each_time(cases: list[Case]) -> None:
    written = []
    for _ in range(2):
        main()
        written.append(
            [path.read_bytes() for path in (*sorted(PSEUDO_LABELS.iterdir()), LABEL_REPORT)]
        )
    assert written[0] == written[1]


def test_embeddings_that_are_not_there_are_told_of_and_nothing_is_written(
    cases: list[Case],
) -> None:
    (EMBEDDINGS / "b.safetensors").unlink()
    with pytest.raises(
        InputError, match=r"b\.safetensors: file not found.*dvc repro"
    ):
        main()
    assert not PSEUDO_LABELS.exists()


def test_each_class_has_labels_in_a_folder_of_its_own(
    cases: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a both classes, the second one's box being of nothing that can be seen; of b the second alone."""
    write_classes(CLASSES, [ObjectClass("ring", 1), ObjectClass("rest", 2)])
    (of_a,), (of_b,) = cases[0].boxes_xyxy, cases[1].boxes_xyxy
    given = [
        replace(cases[0], boxes_xyxy=(of_a, (0, 0, 256, 256)), box_classes=(1, 2)),
        replace(cases[1], boxes_xyxy=(of_b,), box_classes=(2,)),
        cases[3],
        cases[4],
    ]
    write_index(INDEX, given)
    main()
    written = {path.relative_to(PSEUDO_LABELS).as_posix() for path in PSEUDO_LABELS.rglob("*.png")}
    assert written == {"1/a.png", "2/b.png"}
    printed = capsys.readouterr().out
    assert "a, rest: dropped, it " in printed
    assert "2 pseudo-labels kept, 1 dropped" in printed

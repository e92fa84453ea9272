"""The label stage on phantoms: one label per boxed training image, and a list of rejected ones."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from automedsam.backbone.embeddings import EmbeddingFolder, EmbeddingStore
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import Box, fill_boxes, tight_box
from automedsam.cases.case import Case, Split
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass, write_classes
from automedsam.cases.index import write_index
from automedsam.datasets.phantoms import draw_phantom
from automedsam.evaluation.metrics import dice
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.paths import (
    CLASSES,
    EMBEDDINGS,
    IMAGES,
    INDEX,
    LABEL_METRICS,
    LABEL_REPORT,
    PSEUDO_LABELS,
)
from label import main
from repository import ROOT
from training_fixtures import OBJECT

PHANTOMS = {
    name: draw_phantom(np.random.default_rng([6, number])) for number, name in enumerate("abcd")
}
WHOLE_IMAGE = (0, 0, 256, 256)


def make_case(name: str, split: Split, *boxes_xyxy: Box) -> Case:
    return Case(name, name, split, 256, 256, {SINGLE_CLASS_VALUE: boxes_xyxy})


def read_metrics() -> dict[str, float]:
    metrics: dict[str, float] = json.loads(LABEL_METRICS.read_text(encoding="utf-8"))
    return metrics


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """Prepared and embedded cases.

    The boxes of a and b are tight, c has a wrong box, d is a validation case, and e has no object.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["label.py"])
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copyfile(ROOT / name, name)
    boxes = {name: tight_box(phantom.mask) for name, phantom in PHANTOMS.items()}
    cases = [
        make_case("a", "train", boxes["a"]),
        make_case("b", "train", boxes["b"]),
        make_case("c", "train", WHOLE_IMAGE),
        make_case("d", "val", boxes["d"]),
        make_case("e", "train"),
    ]
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


def test_pseudo_labels_are_close_to_the_true_masks(cases: list[Case]) -> None:
    main()
    for case in cases[:2]:
        label = read_image(PSEUDO_LABELS / f"{case.name}.png")
        assert dice(label > 127, PHANTOMS[case.name].mask) > 0.85
        assert not label[~fill_boxes(case.all_boxes_xyxy, case.image_size)].any()


def test_a_label_that_does_not_fit_its_box_is_rejected_and_reported(
    cases: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    main()
    assert {path.name for path in PSEUDO_LABELS.iterdir()} == {"a.png", "b.png"}
    printed = capsys.readouterr()
    assert "warning: pseudo-label of c rejected: it " in printed.err
    summary = "2 pseudo-labels accepted, 1 rejected; agreement of their masks with the drawn boxes"
    assert summary in printed.out
    assert "% of its box" in printed.err or "short of a side" in printed.err


def test_metrics_and_summary_state_the_agreement_with_the_boxes(
    cases: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    """The rejected label of c, whose box is the whole image, is included in the mean."""
    main()
    metrics = read_metrics()
    assert (metrics["accepted"], metrics["rejected"]) == (2, 1)
    assert set(metrics) == {"accepted", "rejected", "box_agreement"}
    assert 0.5 < metrics["box_agreement"] < 0.9
    printed = capsys.readouterr()
    agreement = f"with the drawn boxes: {metrics['box_agreement']:.2f} (mean IoU)"
    assert agreement in printed.out


def test_no_warning_if_the_masks_agree_with_the_boxes(
    cases: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    write_index(INDEX, [case for case in cases if case.name != "c"])
    main()
    assert read_metrics()["box_agreement"] > 0.85
    assert "poorly" not in capsys.readouterr().err


def test_metrics_are_written_and_a_warning_is_printed_if_every_label_is_rejected(
    cases: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    write_index(INDEX, [cases[2], cases[3]])
    main()
    metrics = read_metrics()
    assert (metrics["accepted"], metrics["rejected"]) == (0, 1)
    assert metrics["box_agreement"] < 0.75
    assert list(PSEUDO_LABELS.iterdir()) == []
    assert LABEL_REPORT.is_file()
    warnings = [line for line in capsys.readouterr().err.splitlines() if "poorly" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: the masks of sam_tiny fit the drawn boxes poorly (mean")
    assert "1 of 1 rejected" in warnings[0]


def test_labels_of_an_earlier_run_are_deleted(cases: list[Case]) -> None:
    write_image(PSEUDO_LABELS / "former.png", np.zeros((4, 4), np.uint8))
    main()
    assert not (PSEUDO_LABELS / "former.png").exists()


def test_two_runs_write_the_same_bytes(cases: list[Case]) -> None:
    written = []
    for _ in range(2):
        main()
        written.append(
            [
                path.read_bytes()
                for path in (*sorted(PSEUDO_LABELS.iterdir()), LABEL_REPORT, LABEL_METRICS)
            ]
        )
    assert written[0] == written[1]


def test_a_missing_embedding_is_named_and_nothing_is_written(cases: list[Case]) -> None:
    (EMBEDDINGS / "b.safetensors").unlink()
    with pytest.raises(InputError, match=r"b\.safetensors: file not found.*dvc repro"):
        main()
    assert not PSEUDO_LABELS.exists()


def test_each_class_has_its_own_folder_of_labels(
    cases: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    """Case a has both classes, but the box of the second is wrong; b has the second class only."""
    write_classes(CLASSES, Classes([ObjectClass("ring", 1), ObjectClass("rest", 2)]))
    given = [
        replace(cases[0], boxes={1: cases[0].all_boxes_xyxy, 2: (WHOLE_IMAGE,)}),
        replace(cases[1], boxes={1: (), 2: cases[1].all_boxes_xyxy}),
        replace(cases[3], boxes={1: cases[3].all_boxes_xyxy, 2: ()}),
        replace(cases[4], boxes={1: (), 2: ()}),
    ]
    write_index(INDEX, given)
    main()
    written = {path.relative_to(PSEUDO_LABELS).as_posix() for path in PSEUDO_LABELS.rglob("*.png")}
    assert written == {"1/a.png", "2/b.png"}
    printed = capsys.readouterr()
    assert "pseudo-label of a, rest rejected: it " in printed.err
    assert "2 pseudo-labels accepted, 1 rejected" in printed.out
    metrics = read_metrics()
    assert [metrics[f"{key}_of_ring"] for key in ("accepted", "rejected")] == [1, 0]
    assert [metrics[f"{key}_of_rest"] for key in ("accepted", "rejected")] == [1, 1]
    assert metrics["box_agreement_of_ring"] > metrics["box_agreement_of_rest"]
    assert "warning: class rest: the masks of sam_tiny fit the drawn boxes poorly" in printed.err
    assert "class ring" not in printed.err

"""Prediction with drawn boxes for some of the images."""

import csv
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import tight_box
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.prediction import command
from automedsam.prediction.given_boxes import read_given_boxes, with_ids
from automedsam.prediction.jobs import list_jobs
from automedsam.prediction.predictor import Predictor
from automedsam.runtime.errors import InputError
from automedsam.scans.framing import Framing
from automedsam.scans.prepared_scan import Preparation
from prediction_inputs import write_inputs
from saved_models import save_model

OBJECT = Classes([ObjectClass("object", 255)])
TWO = Classes([ObjectClass("liver", 1), ObjectClass("2+3", 3)])
HEADER = "image,slice,x_min,y_min,x_max,y_max,class\n"


@pytest.fixture
def images(tmp_path: Path) -> dict[str, Path]:
    folder = write_inputs(tmp_path / "in")
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture
def read(tmp_path: Path, images: dict[str, Path]):
    """Read the rows of a table."""

    def read_rows(*rows: str, classes: Classes = OBJECT):
        (tmp_path / "boxes.csv").write_text(HEADER + "\n".join(rows), encoding="utf-8")
        folders = dict.fromkeys(images, tmp_path / "in")
        return read_given_boxes(tmp_path / "boxes.csv", images, folders, "auto", classes)

    return read_rows


def test_boxes_are_placed_on_images_and_slices(read):
    assert read("grey.png,,5,6,20,30,", "volume,1,1,2,3,4,", "colour.png,,,,,,") == {
        "grey.png": {0: {255: ((5, 6, 20, 30),)}},
        "volume.nii.gz": {1: {255: ((1, 2, 3, 4),)}},
        "colour.png": {0: {255: ()}},
    }


def test_boxes_belong_to_the_classes_of_the_model(read):
    rows = "grey.png,,5,6,20,30,3", "grey.png,,1,2,3,4,liver", "colour.png,,5,6,7,8,spleen"
    assert read(*rows, classes=TWO) == {
        "grey.png": {0: {1: ((1, 2, 3, 4),), 3: ((5, 6, 20, 30),)}},
        "colour.png": {0: {1: (), 3: ()}},
    }


def test_ids_of_a_class_are_found_in_its_name():
    assert with_ids(ObjectClass("object", 255), is_single=True).ids is None
    assert with_ids(ObjectClass("object", 1), is_single=False).ids == ("object",)
    assert with_ids(ObjectClass("liver", 255), is_single=True).ids == ("liver",)
    assert with_ids(ObjectClass("1+tumour", 1), is_single=False).ids == (1, "tumour", "1+tumour")


def test_boxes_of_other_classes_only_are_rejected(read):
    with pytest.raises(InputError) as caught:
        read("grey.png,,5,6,20,30,spleen", "colour.png,,5,6,7,8,1", classes=TWO)
    assert str(caught.value).endswith(
        "boxes.csv: no box of the classes of the model, liver, 2+3; the classes of the boxes are: "
        "1, spleen"
    )


def test_listed_images_that_are_not_predicted_are_named(read, caplog):
    logging.getLogger("automedsam").propagate = True
    boxes = read("grey.png,,5,6,20,30,", "other.png,,1,2,3,4,")
    assert list(boxes) == ["grey.png"]
    assert "1 listed image not among those to predict: other.png" in caplog.text
    with pytest.raises(InputError, match="1 listed image not among those to predict: other"):
        read("other.png,,1,2,3,4,")


@pytest.mark.parametrize("folder", ["patient1", "patient1/images"])
def test_the_given_folder_is_a_part_of_the_names(tmp_path, folder, caplog):
    logging.getLogger("automedsam").propagate = True
    for image in ("patient1/images/x.png", "patient1/x.png", "patient2/x.png"):
        (tmp_path / image).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (70, 50)).save(tmp_path / image)
    table = tmp_path / "boxes.csv"

    def read_rows(*rows: str):
        table.write_text(HEADER + "\n".join(rows), encoding="utf-8")
        jobs = list_jobs([tmp_path / folder / "x.png"], tmp_path / "out")
        images = {jobs.image_name(target): path for target, path in jobs.scans.items()}
        folders = {jobs.image_name(target): path for target, path in jobs.folders.items()}
        return read_given_boxes(table, images, folders, "auto", OBJECT)

    own, other = "patient1/x.png,,5,6,20,30,", "patient2/x.png,,1,2,3,4,"
    for rows in ([own], [other, own], [own, other], ["x.png,,5,6,20,30,"]):
        assert read_rows(*rows) == {"x.png": {0: {255: ((5, 6, 20, 30),)}}}
    assert "1 listed image not among those to predict: patient2/x.png" in caplog.text
    with pytest.raises(InputError) as caught:
        read_rows(other)
    assert str(caught.value) == (
        f"--annotations {table}: 1 listed image not among those to predict: patient2/x.png; "
        f"{tmp_path / folder / 'x.png'} is in another folder"
    )


def test_boxes_of_an_image_that_cannot_be_read_are_left_out(read, images):
    images["grey.png"].write_text("not an image")
    assert list(read("grey.png,,5,6,20,30,", "colour.png,,1,2,3,4,")) == ["colour.png"]


def test_boxes_that_do_not_fit_their_image_are_rejected(read):
    with pytest.raises(InputError, match=r"line 2: expected a box inside the image of 70 x 50 px"):
        read("grey.png,,5,6,200,30,")


def test_given_boxes_replace_predicted_ones(
    tiny_weights: Weights, tmp_path: Path, images: dict[str, Path], monkeypatch
):
    model = save_model(tmp_path / "model.safetensors", tiny_weights)
    (tmp_path / "boxes.csv").write_text(f"{HEADER}volume,1,5,6,20,30,1\n", encoding="utf-8")
    out = tmp_path / "out"
    arguments = ["predict.py", tmp_path / "in", "--out", out, "--model", model, "--device", "cpu"]
    arguments += ["--annotations", tmp_path / "boxes.csv"]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    command.main()
    with (out / "predictions.csv").open(newline="", encoding="utf-8") as table:
        prompts = {(row["mask"], row["slice"]): row["prompt"] for row in csv.DictReader(table)}
    assert [key for key, prompt in prompts.items() if prompt == "given"] == [("volume.nii.gz", "1")]
    assert set(prompts.values()) == {"given", "predicted"}


def test_the_mask_of_a_given_box_is_inside_of_it_and_all_others_stay(
    tiny_weights: Weights, tmp_path: Path, images: dict[str, Path]
):
    model = save_model(tmp_path / "model.safetensors", tiny_weights, TWO)
    predictor = Predictor.load(model, device="cpu")
    path = images["volume.nii.gz"]
    expected, prediction = predictor(path), predictor(path, {1: {3: ((5, 6, 20, 30),)}})
    assert prediction.given == {(1, 3)}
    assert expected.given == frozenset()
    changed = prediction.soft_masks != expected.soft_masks
    assert changed[1, 1].any()
    changed[1, 1] = False
    assert not changed.any()
    x0, y0, x1, y1 = tight_box(prediction.soft_masks[1, 1] > 127)
    assert 5 <= x0 < x1 <= 20
    assert 6 <= y0 < y1 <= 30


def test_given_boxes_are_mapped_to_the_frame(
    tiny_weights: Weights, tmp_path: Path, images: dict[str, Path]
):
    preparation = Preparation(framing=Framing(canvas_px=40))  # of an image of 50 x 70
    model = save_model(tmp_path / "m.safetensors", tiny_weights, preparation=preparation)
    predictor = Predictor.load(model, device="cpu")
    prediction = predictor(images["grey.png"], {0: {255: ((20, 10, 40, 30), (0, 0, 9, 4))}})
    rows, columns = np.nonzero(prediction.soft_masks[0, 0] > 127)
    assert 10 <= rows.min() < rows.max() < 30
    assert 20 <= columns.min() < columns.max() < 40
    # A box outside of the frame cannot be a prompt.
    assert predictor(images["grey.png"], {0: {255: ((0, 0, 9, 4),)}}).given == frozenset()

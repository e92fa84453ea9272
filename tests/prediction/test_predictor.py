"""Prediction from Python: the same masks as those of the command, for arrays, files and scans."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from automedsam.backbone.weights import Weights
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.prediction import command
from automedsam.prediction.predictor import Predictor
from automedsam.runtime.errors import InputError
from automedsam.runtime.tensors import save_tensors
from automedsam.scans.array import ArrayScan
from automedsam.scans.framing import Framing
from automedsam.scans.intensity import Intensity
from automedsam.scans.prepared_scan import Preparation
from automedsam.scans.scan import open_scan
from prediction_inputs import write_inputs
from saved_models import save_model

TWO = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 3)])
WINDOWED = Preparation(intensity=Intensity((0.0, 200.0)), framing=Framing(canvas_px=48))


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    return write_inputs(tmp_path / "in")


@pytest.fixture
def model(tiny_weights: Weights, tmp_path: Path) -> Path:
    return save_model(tmp_path / "model.safetensors", tiny_weights)


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, arguments)])
    command.main()


@pytest.mark.parametrize(
    ("classes", "changes"),
    [
        (None, {}),
        (TWO, {}),
        (None, {"prompting": "direct", "embedding_dtype": "int8"}),
        (None, {"preparation": WINDOWED}),
    ],
    ids=["single_class", "two_classes", "direct_int8", "window_and_frame"],
)
def test_predictor_returns_the_masks_that_the_command_writes(
    tiny_weights: Weights, tmp_path: Path, inputs: Path, monkeypatch, classes, changes
):
    options = changes if classes is None else {"classes": classes}
    model = save_model(tmp_path / "model.safetensors", tiny_weights, **options)
    out = tmp_path / "out"
    run_command(monkeypatch, inputs, "--out", out, "--soft", "--model", model, "--device", "cpu")
    predictor = Predictor.load(model, device="cpu")
    for name in ("grey.png", "colour.png", "volume.nii.gz"):
        prediction = predictor(inputs / name)
        mask = open_scan(out / name, "auto").read_labels()
        labels = prediction.labels > 0 if classes is None else prediction.labels
        if classes is None:
            mask = mask > 0
        assert np.array_equal(mask, labels)
        assert len(np.unique(labels)) > 1  # the comparison would prove little on empty masks
        for cls, _, soft_masks in prediction.per_class():
            folder = out / "soft" if classes is None else out / "soft" / str(cls.value)
            written = open_scan(folder / name, "auto").read_values()
            if name.endswith(".nii.gz"):  # probabilities from 0 to 1
                written = written * 255
            assert np.array_equal(np.round(written), soft_masks)


@pytest.mark.parametrize("name", ["grey.png", "colour.png"])
def test_an_array_gives_the_same_bytes_as_its_file(
    model: Path, inputs: Path, tmp_path: Path, monkeypatch, name: str
):
    run_command(monkeypatch, inputs, "--out", tmp_path / "out", "--model", model, "--device", "cpu")
    predictor = Predictor.load(model, device="cpu")
    with Image.open(inputs / name) as image:
        prediction = predictor(np.asarray(image))
    scan = open_scan(inputs / name, "auto")
    scan.write(tmp_path / "from_array.png", prediction.labels > 0)
    assert (tmp_path / "from_array.png").read_bytes() == (tmp_path / "out" / name).read_bytes()
    assert np.array_equal(prediction.soft_masks, predictor(inputs / name).soft_masks)


def test_a_volume_as_array_path_text_and_scan_gives_the_same_masks(model: Path, inputs: Path):
    predictor = Predictor.load(model, device="cpu")
    path = inputs / "volume.nii.gz"
    expected = predictor(path)
    assert expected.labels.shape == (*open_scan(path, "auto").shape,)
    values = open_scan(path, "auto").read_values()
    for volume in (str(path), open_scan(path, "auto"), values, ArrayScan(values)):
        prediction = predictor(volume)
        assert np.array_equal(prediction.labels, expected.labels)
        assert np.array_equal(prediction.soft_masks, expected.soft_masks)


def test_prediction_has_masks_and_probabilities_of_each_class(
    tiny_weights: Weights, tmp_path: Path, inputs: Path
):
    model = save_model(tmp_path / "model.safetensors", tiny_weights, TWO)
    prediction = Predictor.load(str(model), device="cpu")(inputs / "grey.png")
    assert (prediction.labels.shape, prediction.labels.dtype) == ((1, 50, 70), np.uint8)
    assert (prediction.soft_masks.shape, prediction.soft_masks.dtype) == ((1, 2, 50, 70), np.uint8)
    assert set(np.unique(prediction.labels)) <= {0, 1, 3}
    for channel, (cls, masks, soft_masks) in enumerate(prediction.per_class()):
        assert cls == TWO[channel]
        assert np.array_equal(masks, prediction.labels == cls.value)
        assert np.array_equal(soft_masks, prediction.soft_masks[:, channel])


def test_predictor_prepares_images_as_the_header_specifies(tiny_weights: Weights, tmp_path: Path):
    preparation = Preparation("coronal", Intensity((-5.0, 9.0)), Framing(1.0, 256))
    model = save_model(tmp_path / "m.safetensors", tiny_weights, preparation=preparation)
    predictor = Predictor.load(model, device="cpu")
    assert predictor.preparation == preparation
    assert (predictor.backbone, predictor.compute.device) == ("sam_test", torch.device("cpu"))
    assert [(cls.name, cls.value) for cls in predictor.classes] == [("object", 255)]


def test_an_older_model_is_rejected(tmp_path: Path):
    path = tmp_path / "old.safetensors"
    save_tensors(path, {}, {"backbone": "sam_tiny"})
    with pytest.raises(InputError, match=r"old\.safetensors: not a model of this version"):
        Predictor.load(path)


def test_a_missing_model_is_rejected(tmp_path: Path):
    with pytest.raises(InputError, match=r"gone\.safetensors: "):
        Predictor.load(tmp_path / "gone.safetensors")


def test_moved_backbone_weights_can_be_given(
    model: Path, tiny_weights: Weights, other_weights: Weights, inputs: Path, tmp_path: Path
):
    expected = Predictor.load(model, device="cpu")(inputs / "grey.png")
    moved = tiny_weights.path.rename(tmp_path / "moved.pth")
    with pytest.raises(InputError):
        Predictor.load(model, device="cpu")
    prediction = Predictor.load(model, moved, "cpu")(inputs / "grey.png")
    assert np.array_equal(prediction.soft_masks, expected.soft_masks)
    with pytest.raises(InputError, match="trained with backbone weights"):
        Predictor.load(model, other_weights.path, "cpu")


@pytest.mark.parametrize("values", [np.zeros((2, 3, 4, 5)), np.array([[np.nan, np.nan]])])
def test_invalid_arrays_are_rejected(model: Path, values):
    with pytest.raises(InputError, match=r"^array: "):
        Predictor.load(model, device="cpu")(values)


def test_a_missing_image_is_rejected(model: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"gone\.png: file not found"):
        Predictor.load(model, device="cpu")(tmp_path / "gone.png")

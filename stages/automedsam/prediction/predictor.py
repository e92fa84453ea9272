"""Prediction of masks with a trained model, for scans of any kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from automedsam.backbone.encoder import Encoder
from automedsam.backbone.quantization import pack, unpack
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import Box, BoxesByClass
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.cases.masks import to_labels, to_soft_mask
from automedsam.model.segmenter import Segmenter
from automedsam.model.trained import load_model, read_header
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.paths import PROMPT_MODULE, project_folder
from automedsam.scans.array import ArrayScan
from automedsam.scans.prepared_scan import Preparation, PreparedScan
from automedsam.scans.scan import Scan, open_scan


@dataclass(frozen=True)
class Prediction:
    """The masks of one scan, in its own pixels."""

    classes: Classes
    labels: np.ndarray  # (slices, H, W) uint8, values of the classes
    soft_masks: np.ndarray  # (slices, K, H, W) uint8, probability 0 to 255
    prepared: PreparedScan  # for overlays; it keeps the values of the scan in memory
    # Slice and value of each class whose mask was predicted for given boxes.
    given: frozenset[tuple[int, int]] = frozenset()

    def per_class(self) -> Iterator[tuple[ObjectClass, np.ndarray, np.ndarray]]:
        """Each class, its masks (slices, H, W), bool, and probabilities (slices, H, W), uint8."""
        for channel, cls in enumerate(self.classes):
            yield cls, self.labels == cls.value, self.soft_masks[:, channel]


class Predictor:
    """Predicts masks without any prompt, or for drawn boxes.

    >>> predictor = Predictor.load("data/model/prompt_module.safetensors")
    >>> labels = predictor("new_image.png").labels
    """

    def __init__(
        self,
        segmenter: Segmenter,
        encoder: Encoder,
        embedding_dtype: str,
        preparation: Preparation,
        classes: Classes,
        backbone: str,
    ) -> None:
        self.backbone = backbone
        self.compute = segmenter.compute
        self.classes = classes
        self.preparation = preparation
        self._segmenter = segmenter
        self._encoder = encoder
        self._embedding_dtype = embedding_dtype

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        medsam_checkpoint: str | Path | None = None,
        device: str = "auto",
    ) -> "Predictor":
        """Load a trained model.

        Args:
          model: the file `prompt_module.safetensors`; `None`: that of the project, or of the
            working directory if the package was installed with pip.
          medsam_checkpoint: weights of the backbone, if they have moved since the training.
          device: `auto`, `cpu`, `cuda` or `mps`.

        Raises:
          InputError: the model or the weights are missing or do not belong together, or the device
            is not available.
        """
        path = project_folder() / PROMPT_MODULE if model is None else Path(model)
        header = read_header(path)
        checkpoint = medsam_checkpoint
        if checkpoint is None and header.medsam_checkpoint is not None:
            checkpoint = project_folder() / header.medsam_checkpoint
        weights = Weights(header.backbone, None if checkpoint is None else Path(checkpoint))
        compute = choose_compute(device, header.use_amp)
        return cls(
            segmenter=Segmenter(load_model(path, weights, compute.device), compute),
            encoder=Encoder(weights, compute),
            embedding_dtype=header.embedding_dtype,
            preparation=Preparation.from_dict(header.preparation),
            classes=header.classes,
            backbone=header.backbone,
        )

    def __call__(
        self,
        image: str | Path | np.ndarray | Scan,
        boxes: Mapping[int, BoxesByClass] = MappingProxyType({}),
    ) -> Prediction:
        """Predict the masks of one image or volume.

        Args:
          image: a file, a folder with one DICOM series, an array as `ArrayScan` takes it, or an
            open scan. Images are prepared as in the training.
          boxes: slice -> class value -> drawn boxes, px of the image, half open. They prompt the
            decoder in place of predicted boxes.

        Raises:
          InputError: the image cannot be read.
        """
        scan = self._open(image)
        prepared = PreparedScan(scan, self.preparation)
        labels, soft_masks = [], []
        given: set[tuple[int, int]] = set()
        for number in range(scan.shape[0]):
            framed = self._frame_boxes(prepared, boxes.get(number, {}))
            given.update((number, value) for value in framed)
            slice_labels, slice_soft_masks = self._predict_slice(prepared, number, framed)
            labels.append(slice_labels)
            soft_masks.append(slice_soft_masks)
        stacks = np.stack(labels), np.stack(soft_masks)
        return Prediction(self.classes, *stacks, prepared, frozenset(given))

    def _open(self, image: str | Path | np.ndarray | Scan) -> Scan:
        if isinstance(image, np.ndarray):
            return ArrayScan(image)
        if isinstance(image, str | Path):
            return open_scan(Path(image), self.preparation.slice_axis)
        return image

    def _frame_boxes(self, prepared: PreparedScan, boxes: BoxesByClass) -> dict[int, list[Box]]:
        """The boxes of one slice in its frame, of the classes that have any."""
        framed = {
            value: prepared.frame_boxes(boxes.get(value, ())) for value in self.classes.values
        }
        return {value: boxes_xyxy for value, boxes_xyxy in framed.items() if boxes_xyxy}

    def _predict_slice(
        self, prepared: PreparedScan, number: int, boxes: Mapping[int, list[Box]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Labels (H, W) and probabilities (K, H, W) of one slice, uint8."""
        pixels = prepared.slice(number)
        # Rounded as in the training, where embeddings are stored on disk.
        packed = unpack(pack(self._encoder(pixels), self._embedding_dtype))
        embedding = packed[None].to(self.compute.device)
        framed = self._segmenter.segment(embedding, pixels).logits.clone()  # to be changed below
        for channel, value in enumerate(self.classes.values):
            if value in boxes:
                image_size = pixels.shape[0], pixels.shape[1]
                drawn = self._segmenter.segment_drawn_boxes(embedding, image_size, boxes[value])
                framed[:, channel] = drawn[0].to(framed)
        logits = prepared.unframe(framed)  # (1, K, H, W)
        soft_masks = [to_soft_mask(one) for one in logits.split(1, dim=1)]
        return to_labels(logits, self.classes), np.stack(soft_masks)

"""The files of the user's own folder: images, the masks of the same names, and all others."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from automedsam.runtime.errors import ErrorCollector, InputError, count_phrase, name_some
from automedsam.scans.finding import FoundScans, search_folder


@dataclass(frozen=True)
class FolderFiles:
    """Images and masks of a folder.

    Attributes:
      images_folder: The folder of the images.
      masks_folder: The folder of the masks, which may not exist.
      images: Name to path, sorted by name.
      masks: Name to path, sorted by name.
      full_names: Name of an image to the name before it was shortened.
      unread: Files in formats that are not read.
      notes: A line about everything else that is left out.
    """

    images_folder: Path
    masks_folder: Path
    images: Mapping[str, Path]
    masks: Mapping[str, Path]
    full_names: Mapping[str, str]
    unread: list[Path]
    notes: list[str]


def find_files(folder: Path, is_annotated: bool) -> FolderFiles:
    """Find images in `images/` and masks in `masks/`.

    Args:
      folder: The parameter `data_dir`.
      is_annotated: Whether boxes are drawn. Masks are then optional, and images may be stored in
        `folder` itself if it has no `images/`.

    Raises:
      InputError: No images; images without a mask or with two; masks that match no image at all.
    """
    images_folder, masks_folder = folder / "images", folder / "masks"
    if is_annotated and not images_folder.is_dir():
        images_folder = folder
    found, found_masks = search_folder(images_folder), search_folder(masks_folder)
    images = {
        name: path
        for name, path in found.by_name().items()
        if not path.is_relative_to(masks_folder)
    }
    masks = found_masks.by_name() if found_masks.scans or not is_annotated else {}
    _check_masks(images, masks, masks_folder, is_required=not is_annotated)
    return FolderFiles(
        images_folder=images_folder,
        masks_folder=masks_folder,
        images=images,
        masks=masks,
        full_names={name: found.full_name(path) for name, path in images.items()},
        unread=sorted({*found.unread, *found_masks.unread}),
        notes=[*_all_notes(found, found_masks), *_describe_extra(images, masks)],
    )


def _check_masks(
    images: Mapping[str, Path], masks: Mapping[str, Path], folder: Path, is_required: bool
) -> None:
    """Raise InputError for missing masks, or if the names of masks match no image at all."""
    errors = ErrorCollector()
    for name, path in images.items():
        if is_required and name not in masks:
            errors.add(f"{path}: no mask of the same name in {folder}, and no annotations")
    if not is_required and masks and not masks.keys() & images.keys():
        raise InputError(f"{folder}: none of the {len(masks)} masks has the name of an image")
    errors.raise_if_any()


def _all_notes(*found: FoundScans) -> list[str]:
    """The notes of several searches, of which one may be a part of another."""
    return list(dict.fromkeys(note for one in found for note in one.notes))


def _describe_extra(images: Mapping[str, Path], masks: Mapping[str, Path]) -> list[str]:
    extra = [str(path) for name, path in masks.items() if name not in images]
    if not extra:
        return []
    count = count_phrase(len(extra), "mask")
    return [f"not used: {count} without an image of the same name: {name_some(extra)}"]

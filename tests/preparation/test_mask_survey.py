"""All masks of a set at once: blurred, inverted, void and other values that mislead."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from automedsam.cases.classes import Classes, ObjectClass, label_mask
from automedsam.preparation.mask_look import look_at_mask
from automedsam.preparation.mask_survey import check_masks, choose_threshold, describe_masks
from automedsam.runtime.errors import InputError

SIZE = (96, 112)
ANY = Classes([ObjectClass("object", 255, None, None)])
ROWS, COLUMNS = np.mgrid[: SIZE[0], : SIZE[1]]


def ellipse(value=255, background=0):
    inside = ((ROWS - 40) / 15) ** 2 + ((COLUMNS - 50) / 20) ** 2 <= 1
    return np.where(inside, value, background).astype(np.uint8)


def jpeg(mask, quality=75):
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def smooth(scale):
    """An ellipse that was drawn larger and scaled down."""
    large = Image.new("L", (SIZE[1] * scale, SIZE[0] * scale))
    ImageDraw.Draw(large).ellipse([30 * scale, 25 * scale, 70 * scale, 55 * scale], fill=255)
    return np.asarray(large.resize((SIZE[1], SIZE[0]), Image.Resampling.BOX))


def look(*masks, classes=ANY):
    return [
        look_at_mask(f"p{number}.png", mask[None], label_mask(mask[None], classes))
        for number, mask in enumerate(masks)
    ]


def check(*masks, classes=ANY, key="class_ids"):
    return check_masks(look(*masks, classes=classes), classes, key)


@pytest.mark.parametrize(
    ("mask", "threshold"),
    [
        (jpeg(ellipse()), 127),
        (jpeg(ellipse(), quality=30), 127),
        (jpeg(ellipse(128)), 64),
        (255 - jpeg(ellipse()), 127),
        (jpeg(ellipse()).astype(np.uint16) * 257, 32767),
        (smooth(2), 127),
        (smooth(4), 127),
    ],
    ids=["jpeg", "low quality", "grey", "inverted", "16 bits", "half pixels", "smooth"],
)
def test_blurred_masks_of_two_values_have_a_threshold_between_them(mask, threshold):
    masks = look(mask, np.zeros(SIZE, np.uint8), ellipse(1))
    assert abs(choose_threshold(masks) - threshold) <= 2


def label_map():
    mask = ellipse(1)
    for label in range(2, 24):
        mask[4 * label : 4 * label + 4, :6] = label
    return mask


def thin_labels():
    mask = ellipse()
    for label in range(1, 12):
        mask[2 * label, 80:110] = label
    return mask


def spots(count, height, width):
    """Labels 1, 2, 3 and so on, each of them one small object."""
    mask = np.zeros((256, 256), np.uint8)
    for label in range(1, count + 1):
        row, column = divmod(17 * (label - 1), 238)
        mask[16 * row : 16 * row + height, column : column + width] = label
    return mask


@pytest.mark.parametrize("count", [35, 60, 200])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 9), (1, 12)])
def test_labels_of_many_small_objects_are_not_blurred(count, size):
    masks = look(spots(count, *size), spots(count, *size)[:, ::-1])
    assert choose_threshold(masks) is None


def test_thin_objects_with_smooth_edges_are_blurred():
    large = Image.new("L", (4 * SIZE[1], 4 * SIZE[0]))
    drawing = ImageDraw.Draw(large)
    for offset in range(0, 300, 60):
        drawing.line([offset, 10, offset + 90, 370], fill=255, width=9)
    mask = np.asarray(large.resize((SIZE[1], SIZE[0]), Image.Resampling.BOX))
    assert abs(choose_threshold(look(mask)) - 127) <= 2


@pytest.mark.parametrize(
    "mask",
    [
        ellipse(),
        ellipse(1),
        np.zeros(SIZE, np.uint8),
        np.where(COLUMNS < 30, 128, ellipse()).astype(np.uint8),
        label_map(),
        np.where(ROWS < 4, 255, label_map()).astype(np.uint8),
        jpeg(ellipse(20)),  # a contrast that labels may have
        np.random.default_rng(0).integers(0, 256, SIZE, np.uint8),
    ],
    ids=["two", "0 and 1", "empty", "three", "labels", "labels and void", "dark", "noise"],
)
def test_all_other_masks_have_no_threshold(mask):
    assert choose_threshold(look(mask)) is None


def test_no_masks_have_no_threshold_and_no_warnings():
    assert choose_threshold([]) is None
    assert check_masks([], ANY, "mask_ids") == []


@pytest.mark.parametrize(
    "masks",
    [
        [ellipse(), ellipse()],
        [ellipse(1), ellipse(255)],
        [ellipse(1), np.zeros(SIZE, np.uint8)],
        [label_map()],
    ],
    ids=["two", "of two tools", "empty", "labels"],
)
def test_ordinary_masks_pass_without_a_word(masks):
    assert check(*masks) == []


def test_a_threshold_is_reported_with_the_parameter_that_replaces_it():
    classes = Classes([ObjectClass("object", 255, None, None, threshold=127)])
    (warning,) = check(jpeg(ellipse()), ellipse(), classes=classes, key="mask_ids")
    assert warning == (
        "1 of 2 masks have values beside 0 and 255, as JPEG compression and smooth edges leave "
        "them (p0.png); values over 127 are read as the object, unless mask_ids specifies values"
    )


def test_masks_of_another_scale_than_the_blurred_ones_are_rejected():
    masks = look(jpeg(ellipse()), ellipse(1), np.zeros(SIZE, np.uint8))
    classes = Classes([ObjectClass("object", 255, None, None, choose_threshold(masks))])
    with pytest.raises(InputError, match=r"values of 1 mask are 127 or less \(p1\.png\), although"):
        check_masks(masks, classes, "mask_ids")


def test_masks_without_a_background_are_rejected():
    with pytest.raises(InputError) as caught:
        check(ellipse(2, 1), ellipse(2, 1), key="mask_ids")
    assert str(caught.value) == (
        "mask_ids: no mask has a background of 0, the values are 1, 2; specify those of the object "
        "(p0.png, p1.png)"
    )


def test_an_inverted_mask_is_named():
    (warning,) = check(ellipse(), ellipse(0, 255), ellipse())
    assert warning.startswith(
        "the object touches all four edges in 1 of 3 slices, so that its box is the whole slice "
        "(p1.png); if this is the background, set class_ids to the values of the object"
    )
    selected = Classes([ObjectClass("0", 255, (0,), (0,))])
    assert check(ellipse(0, 255), classes=selected) == []


@pytest.mark.parametrize(
    "mask",
    [
        np.random.default_rng(0).integers(0, 256, SIZE, np.uint8),
        (255 * np.exp(-(((ROWS - 40) / 20) ** 2) - ((COLUMNS - 50) / 25) ** 2)).astype(np.uint8),
    ],
    ids=["image", "probability"],
)
def test_images_and_probabilities_are_rejected(mask):
    with pytest.raises(InputError, match=r"^class_ids: the masks have 2\d\d values, 0, 1, 2, ..."):
        check(mask)


def test_a_void_label_is_named():
    mask = ellipse(2)
    mask[:5] = 255
    mask[5, :4] = 1, 3, 4, 5
    (warning,) = check(mask, ellipse(2))
    assert warning == (
        "1 mask with the values 1, 2, 3, 4, 5, 255 (p0.png), which are all read as the object; if "
        "255 marks pixels of no class, specify the others, of one class: "
        "class_ids=[[1, 2, 3, 4, 5]]"
    )


def test_blurred_edges_beside_selected_values_are_named():
    selected = Classes([ObjectClass("255", 255, (255,), (255,))])
    (warning,) = check(jpeg(ellipse()), classes=selected)
    assert warning.startswith("class_ids selects 255 of ")
    assert check(label_map(), classes=selected) == []


def test_specks_are_named():
    mask = ellipse()
    mask[90, 100] = 255
    (warning,) = check(ellipse(), mask)
    assert warning.startswith("1 mask with specks, parts of less than 1 % of the object, which")
    assert "(p1.png)" in warning


def test_objects_are_described_in_one_line():
    half, two = np.zeros((4, 5), int), np.zeros((4, 5), int)
    half[:2] = 1
    two[0, 0] = two[3, 3] = 1
    empty = np.zeros((4, 5), int)
    assert describe_masks(look(half, two, empty)) == (
        "masks: 2 of 3 show an object, which covers 10 % to 50 % of the image in 1 to 2 parts"
    )
    assert describe_masks(look(half)) == (
        "masks: 1 of 1 show an object, which covers 50 % of the image in 1 part"
    )
    assert describe_masks(look(empty)) == "masks: 0 of 1 show an object"

"""Tests of the locator that uses thumbnails, a U-Net."""

import pytest
import torch

from automedsam.model.image_locator import THUMBNAIL_SIDE, WIDTHS, ImageLocator


def test_a_map_has_one_logit_per_pixel() -> None:
    assert ImageLocator()(torch.rand(2, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)).shape == (
        2,
        1,
        THUMBNAIL_SIDE,
        THUMBNAIL_SIDE,
    )


def test_the_side_of_thumbnails_is_divisible_by_the_coarsest_scale() -> None:
    assert THUMBNAIL_SIDE % 2 ** (len(WIDTHS) - 1) == 0


@pytest.mark.parametrize("channel", range(3))
def test_a_map_depends_on_every_channel(channel: int) -> None:
    locator, images = ImageLocator().eval(), torch.full((1, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE), 0.5)
    images[:, channel, 40:60, 40:60] = 1
    assert not torch.allclose(locator(images), locator(torch.full_like(images, 0.5)), atol=1e-4)


def test_training_and_evaluation_give_the_same_map() -> None:
    locator, images = ImageLocator(), torch.rand(2, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    expected = locator(images)
    assert torch.equal(locator.eval()(images), expected)


def test_images_of_a_batch_are_independent() -> None:
    locator, images = ImageLocator().eval(), torch.rand(3, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    together = locator(images)
    for number, single in enumerate(images.split(1)):
        torch.testing.assert_close(
            together[number : number + 1], locator(single), atol=1e-5, rtol=1e-4
        )


def test_the_input_is_not_modified() -> None:
    images = torch.rand(1, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    before = images.clone()
    ImageLocator()(images)
    assert torch.equal(images, before)


def test_gradients_reach_every_parameter() -> None:
    locator = ImageLocator()
    locator(torch.rand(2, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)).square().sum().backward()
    for name, parameter in locator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_each_class_has_a_map() -> None:
    assert ImageLocator(classes=3)(torch.rand(2, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)).shape == (
        2,
        3,
        THUMBNAIL_SIDE,
        THUMBNAIL_SIDE,
    )

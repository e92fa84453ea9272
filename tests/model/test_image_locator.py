"""The U-Net on thumbnails: a map of their size, from their colours, the same each time."""

import pytest
import torch

from automedsam.model.locators import SIDE, WIDTHS, ImageLocator


def test_a_map_has_a_logit_a_pixel() -> None:
    assert ImageLocator()(torch.rand(2, 3, SIDE, SIDE)).shape == (2, 1, SIDE, SIDE)


def test_it_can_see_a_frame_that_its_scales_divide() -> None:
    assert SIDE % 2 ** (len(WIDTHS) - 1) == 0


@pytest.mark.parametrize("channel", range(3))
def test_it_sees_every_colour(channel: int) -> None:
    locator, images = ImageLocator().eval(), torch.full((1, 3, SIDE, SIDE), 0.5)
    images[:, channel, 40:60, 40:60] = 1
    assert not torch.allclose(locator(images), locator(torch.full_like(images, 0.5)), atol=1e-4)


def test_it_is_the_same_to_learn_and_to_be_asked() -> None:
    locator, images = ImageLocator(), torch.rand(2, 3, SIDE, SIDE)
    learning = locator(images)
    assert torch.equal(locator.eval()(images), learning)


def test_images_of_a_batch_do_not_see_each_other() -> None:
    locator, images = ImageLocator().eval(), torch.rand(3, 3, SIDE, SIDE)
    together = locator(images)
    for number, alone in enumerate(images.split(1)):
        torch.testing.assert_close(
            together[number : number + 1], locator(alone), atol=1e-5, rtol=1e-4
        )


def test_an_image_is_left_as_it_was() -> None:
    images = torch.rand(1, 3, SIDE, SIDE)
    before = images.clone()
    ImageLocator()(images)
    assert torch.equal(images, before)


def test_gradients_reach_every_parameter() -> None:
    locator = ImageLocator()
    locator(torch.rand(2, 3, SIDE, SIDE)).square().sum().backward()
    for name, parameter in locator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_there_is_a_map_of_each_class() -> None:
    assert ImageLocator(classes=3)(torch.rand(2, 3, SIDE, SIDE)).shape == (2, 3, SIDE, SIDE)

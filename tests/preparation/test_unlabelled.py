"""The choice of unlabelled images."""

import logging

import pytest

from automedsam.cases.classes import SINGLE_CLASS_VALUE
from automedsam.preparation.unlabelled import choose_unlabelled
from automedsam.runtime.errors import InputError
from fake_scans import BOX, OBJECT, make_scan, make_slice, names_of, single_class


def choose(slices, used=(), others=(), maximum=100, seed=0):
    return choose_unlabelled(slices, used, others, OBJECT, maximum, seed)


def test_training_slices_that_are_not_used_lose_their_boxes():
    slices = [make_slice("a"), make_slice("b"), make_slice("c", boxes_xyxy=())]
    chosen = choose(slices, used=slices[:1])
    assert names_of(chosen) == ["b", "c"]
    assert {s.split for s in chosen} == {"unlabelled"}
    assert [s.boxes for s in chosen] == [{SINGLE_CLASS_VALUE: ()}] * 2


def test_slices_of_validation_and_test_are_never_chosen():
    assert choose([make_slice("a", "val"), make_slice("b", "test")]) == []


def test_slices_that_are_known_to_show_no_object_are_not_chosen():
    """The box was drawn on purpose, or the slice was marked as empty on purpose."""
    scan = make_scan("a", boxes=single_class({0: ()}))
    assert choose([make_slice("a", boxes_xyxy=(), scan=scan)]) == []


def test_scans_without_boxes_are_chosen_slice_by_slice():
    chosen = choose([make_slice("a")], others=[make_scan("u"), make_scan("v", slices=3)])
    assert names_of(chosen) == ["a", "u", "v_s000", "v_s001", "v_s002"]
    assert [s.number for s in chosen] == [0, 0, 0, 1, 2]


def test_slices_of_an_annotated_volume_are_chosen_if_nothing_is_drawn_on_them():
    scan = make_scan("v", slices=4, boxes=single_class({1: (BOX,), 2: ()}))
    drawn = [make_slice(f"v_s00{n}", scan=scan, number=n, is_volume=True) for n in (1, 2)]
    assert names_of(choose(drawn, used=drawn)) == ["v_s000", "v_s003"]


@pytest.mark.parametrize("split", ["val", "test"])
def test_scans_in_the_groups_of_validation_and_test_are_not_chosen(split):
    slices = [make_slice("a"), make_slice("b", split)]
    others = [make_scan("u", group="b"), make_scan("v", group="a")]
    assert names_of(choose(slices, slices, others)) == ["v"]


def test_the_maximum_holds_and_seeds_differ():
    others = [make_scan(f"{n:02d}") for n in range(30)]
    choices = [names_of(choose([], others=others, maximum=5, seed=seed)) for seed in range(4)]
    assert all(len(names) == 5 and names == sorted(names) for names in choices)
    assert len(set(map(tuple, choices))) == 4
    assert choices[0] == names_of(choose([], others=others[::-1], maximum=5))


def test_masks_of_unlabelled_scans_are_not_opened():
    def fail():
        raise AssertionError("opened")

    (chosen,) = choose([], others=[make_scan("u", read_labels=fail)])
    assert not chosen.has_mask


def test_a_scan_that_cannot_be_read_is_reported_and_left_out(caplog):
    def fail():
        raise InputError("u.png: damaged")

    with caplog.at_level(logging.WARNING):
        assert names_of(choose([], others=[make_scan("u", open=fail), make_scan("v")])) == ["v"]
    assert caplog.messages == ["not used: u.png: damaged"]


def test_boxed_images_take_no_place_of_unboxed_ones():
    boxed = [
        make_slice(f"b{n}", scan=make_scan(f"b{n}", boxes=single_class({0: (BOX,)})))
        for n in range(20)
    ]
    others = [make_scan(f"u{n}") for n in range(10)]
    assert len(choose(boxed, used=boxed, others=others, maximum=8)) == 8


def test_scans_that_cannot_be_read_take_no_place():
    def fail():
        raise InputError("damaged")

    others = [make_scan(f"{n}", **{"open": fail} if n % 2 else {}) for n in range(10)]
    assert len(choose([], others=others, maximum=5)) == 5


def test_few_of_many_scans_are_opened():
    opened = []

    def scan(name):
        made = make_scan(name)
        return make_scan(name, open=lambda: opened.append(name) or made.open())

    assert len(choose([], others=[scan(str(n)) for n in range(50)], maximum=5)) == 5
    assert len(opened) == 5


def test_slices_with_the_name_of_another_image_are_reported_and_left_out(caplog):
    """Pictures of slices beside their volume; the second picture has no box."""
    slices = [make_slice("v_s000", "test")]
    others = [make_scan("v", slices=3), make_scan("v_s001")]
    with caplog.at_level(logging.WARNING):
        chosen = names_of(choose(slices, others=others))
    assert chosen == ["v_s001", "v_s002"]
    (message,) = caplog.messages
    assert message == (
        "not used: 2 unlabelled images with the name of another image: v_s000, v_s001"
    )


def test_training_slices_that_keep_empty_leaves_out_are_unknown():
    """Their masks may only serve to derive boxes."""
    slices = [make_slice("a"), make_slice("b", boxes_xyxy=(), is_too_small=True)]
    (chosen,) = choose(slices, used=slices[:1])
    assert (chosen.name, chosen.is_too_small) == ("b", False)

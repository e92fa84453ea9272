"""The page of the verdict: its table, its sections and its width."""

import pytest

from automedsam.evaluation.findings import ClassFindings, Findings
from automedsam.evaluation.verdict_page import WIDTH, verdict_page
from measured_runs import BOXES_ONLY, FOREIGN_BACKBONE, HEARTS, NO_TEST, RUNS


def test_the_table_shows_the_scores_and_what_they_mean():
    page = verdict_page(FOREIGN_BACKBONE)
    assert page[:13] == [
        "# Verdict",
        "",
        "27 test images, 27 with a true mask. Dice, from 0 to 1:",
        "",
        "| class  | images | automatic | true box | mean box | filled box |",
        "|:-------|-------:|----------:|---------:|---------:|-----------:|",
        "| object |     27 |     0.698 |    0.639 |    0.536 |      0.785 |",
        "",
        "- automatic: masks of the trained model, which finds the object by itself",
        "- true box: masks that the backbone (sam_tiny) draws in the true boxes",
        "- mean box: masks that the backbone draws in the mean of the training boxes, without "
        "learning",
        "- filled box: the true boxes as masks, without a backbone",
        "",
    ]
    assert page[13] == "## Findings"
    assert page[-5:-3] == ["## What to try next", ""]


def test_several_classes_have_rows_sections_and_a_mean():
    page = verdict_page(HEARTS)
    assert page[4:10] == [
        "| class | images | automatic | true box | mean box | filled box |",
        "|:------|-------:|----------:|---------:|---------:|-----------:|",
        "| RV    |     18 |     0.557 |    0.862 |    0.208 |      0.727 |",
        "| ring  |     18 |     0.508 |    0.427 |    0.200 |      0.480 |",
        "| LV    |     18 |     0.838 |    0.928 |    0.300 |      0.800 |",
        "| mean  |        |     0.635 |    0.739 |    0.236 |      0.669 |",
    ]
    titles = [line for line in page if line.startswith("#")]
    assert titles == [
        "# Verdict",
        "## Findings",
        "### RV",
        "### ring",
        "### LV",
        "## What to try next",
    ]


def test_without_masks_the_table_compares_boxes():
    page = verdict_page(BOXES_ONLY)
    assert page[2:8] == [
        "24 test images, 0 with a true mask. Overlap of boxes, from 0 to 1:",
        "",
        "| class  | images | automatic | mean box |",
        "|:-------|-------:|----------:|---------:|",
        "| object |     20 |     0.410 |    0.200 |",
        "",
    ]


def test_without_a_test_there_is_no_table():
    assert verdict_page(NO_TEST)[:5] == [
        "# Verdict",
        "",
        "## Findings",
        "",
        "- The model learned from 10 boxed images, with masks of the backbone lite_medsam.",
    ]


def test_undefined_scores_are_empty_and_bars_in_names_are_escaped():
    classes = [
        ClassFindings("a|b", {"dice": 0.5, "volume_dice": 0.25}, present=12),
        ClassFindings("c", {"left_empty": 1.0}, absent=12),
    ]
    page = verdict_page(Findings(classes, "sam_tiny", {"dice": 0.5}, images=12, masks=12))
    assert page[4:9] == [
        "| class | images | automatic | volumes |",
        "|:------|-------:|----------:|--------:|",
        "| a\\|b  |     12 |     0.500 |   0.250 |",
        "| c     |      0 |           |         |",
        "| mean  |        |     0.500 |         |",
    ]


@pytest.mark.parametrize("findings", RUNS)
def test_lines_fit_a_terminal_and_commands_are_not_broken(findings):
    page = verdict_page(findings)
    assert max(map(len, page)) <= WIDTH
    assert all(line.count("`") % 2 == 0 for line in page)

"""The page metrics/verdict.md: a table of scores, the verdict and what to try next."""

import re
import textwrap
from collections.abc import Mapping, Sequence

from automedsam.evaluation.findings import Findings
from automedsam.evaluation.next_steps import next_steps
from automedsam.evaluation.verdict import judge_class, judge_test, name_worst
from automedsam.runtime.errors import count_phrase

WIDTH = 100  # characters, for a terminal
CODE = re.compile(r"`[^`]+`")
NO_BREAK = "\0"
DICE = {  # column -> score
    "automatic": "dice",
    "true box": "true_box_dice",
    "mean box": "mean_box_dice",
    "filled box": "box_fill_dice",
    "volumes": "volume_dice",
}
BOXES = {"automatic": "box_iou", "mean box": "mean_box_iou"}
MEANINGS = {
    "automatic": "masks of the trained model, which finds the object by itself",
    "true box": "masks that the backbone ({backbone}) draws in the true boxes",
    "mean box": "masks that the backbone draws in the mean of the training boxes, without learning",
    "filled box": "the true boxes as masks, without a backbone",
    "volumes": "masks of the trained model, over whole volumes",
}
BOX_MEANINGS = {
    "automatic": "boxes of the trained model's masks, compared with the given boxes",
    "mean box": "the mean of the training boxes, without learning",
}


def verdict_page(findings: Findings) -> list[str]:
    """The lines of the page, at most 100 characters wide unless a word or the table is wider."""
    lines = ["# Verdict", ""]
    if findings.images:
        lines += [*_table(findings), ""]
    lines += ["## Findings", "", *_bullets(judge_test(findings))]
    for cls in findings.classes:
        if sentences := judge_class(cls):
            title = ["", f"### {cls.name}", ""] if len(findings.classes) > 1 else []
            lines += [*title, *_bullets(sentences)]
    if worst := name_worst(findings):
        lines += ["", *_wrap(worst, "")]
    lines += ["", "## What to try next", ""]
    for number, step in enumerate(next_steps(findings), start=1):
        lines += _wrap(step, f"{number}. ")
    return lines


def _table(findings: Findings) -> list[str]:
    """The scores of each class and the columns' meanings."""
    score, columns, meanings = (
        ("Dice", DICE, MEANINGS) if findings.has_dice else ("Overlap of boxes", BOXES, BOX_MEANINGS)
    )
    columns = {
        column: key
        for column, key in columns.items()
        if any(key in cls.scores for cls in findings.classes)
    }
    rows = [
        [cls.name, str(cls.present), *_format_scores(cls.scores, columns)]
        for cls in findings.classes
    ]
    if len(findings.classes) > 1:
        rows.append(["mean", "", *_format_scores(findings.summary, columns)])
    images = count_phrase(findings.images, "test image")
    return [
        f"{images}, {findings.masks} with a true mask. {score}, from 0 to 1:",
        "",
        *_markdown_table(["class", "images", *columns], rows),
        "",
        *(f"- {name}: {meanings[name].format(backbone=findings.backbone)}" for name in columns),
    ]


def _format_scores(scores: Mapping[str, float], columns: Mapping[str, str]) -> list[str]:
    return [f"{scores[key]:.3f}" if key in scores else "" for key in columns.values()]


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table with columns of equal width, the first to the left and the others to the right."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    first, *widths = (max(map(len, column)) for column in zip(*cells, strict=True))
    rule = "|".join([f":{'-' * first}-", *(f"-{'-' * width}:" for width in widths)])
    lines = [" | ".join([row[0].ljust(first), *map(str.rjust, row[1:], widths)]) for row in cells]
    return [f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])]


def _bullets(sentences: Sequence[str]) -> list[str]:
    return [line for sentence in sentences for line in _wrap(sentence, "- ")]


def _wrap(text: str, start: str) -> list[str]:
    """Wrap a paragraph that begins with `start`, but not inside of code such as `-S seed=1`."""
    unbroken = CODE.sub(lambda code: code[0].replace(" ", NO_BREAK), text)
    lines = textwrap.wrap(
        unbroken,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(NO_BREAK, " ") for line in lines]

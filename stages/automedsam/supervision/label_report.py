"""Reports of how well the pseudo-labels fit the drawn boxes, before a training uses them.

No true mask is read. A class whose masks contradict their boxes is found. A class whose masks agree
with their boxes, but have a wrong outline inside of them, is not.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from automedsam.backbone.backbones import other_backbones
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.runtime.paths import LABEL_METRICS, LABEL_REPORT
from automedsam.supervision.pseudo_labels import PseudoLabel

# In docs/outputs.md, masks of whole objects agree by 0.84 or more, masks of a ring by 0.55 or less,
# and masks of real images from a backbone that was trained on phantoms mostly by 0.69 or less.
MIN_BOX_AGREEMENT = 0.75
MAX_REJECTED_SHARE = 1 / 3


def read_poor_classes(classes: Classes, path: Path = LABEL_METRICS) -> set[str]:
    """The names of the classes whose masks fit the drawn boxes poorly, from metrics/labels.json."""
    metrics = json.loads(path.read_text(encoding="utf-8"))
    qualities = {
        cls.name: LabelQuality.from_metrics(metrics, classes.suffix_of(cls)) for cls in classes
    }
    return {name for name, quality in qualities.items() if quality.is_poor}


class LabelQuality:
    """Counts of pseudo-labels, and the agreement of their masks with the drawn boxes."""

    def __init__(self, accepted: int = 0, rejected: int = 0, agreement: float = 0) -> None:
        """Start with some labels.

        Args:
          accepted: number of accepted labels.
          rejected: number of rejected labels.
          agreement: mean agreement of all of them.
        """
        self.accepted = accepted
        self.rejected = rejected
        self._sum = agreement * self.count

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, float], suffix: str) -> "LabelQuality":
        """The quality that `metrics` returned."""
        return cls(
            int(metrics[f"accepted{suffix}"]),
            int(metrics[f"rejected{suffix}"]),
            metrics.get(f"box_agreement{suffix}", 0),
        )

    def add(self, label: PseudoLabel) -> None:
        """Count one pseudo-label."""
        self.accepted += label.rejection is None
        self.rejected += label.rejection is not None
        self._sum += label.box_agreement

    @property
    def count(self) -> int:
        """Number of labels."""
        return self.accepted + self.rejected

    @property
    def box_agreement(self) -> float | None:
        """Mean agreement, 0 to 1, rejected labels included; `None` without labels."""
        return self._sum / self.count if self.count else None

    @property
    def is_poor(self) -> bool:
        """Whether the masks fit the drawn boxes poorly; `False` without labels."""
        agreement = self.box_agreement
        if agreement is None:
            return False
        few_accepted = self.rejected > MAX_REJECTED_SHARE * self.count
        return few_accepted or agreement < MIN_BOX_AGREEMENT

    def details(self) -> str:
        """Agreement and rejected labels in words; requires at least one label."""
        return f"mean IoU {self.box_agreement:.2f}, {self.rejected} of {self.count} rejected"

    def metrics(self, suffix: str) -> dict[str, float]:
        """Numbers by key; without labels there is no `box_agreement`."""
        numbers = {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "box_agreement": self.box_agreement,
        }
        return {f"{key}{suffix}": value for key, value in numbers.items() if value is not None}


class LabelReport:
    """The quality of all pseudo-labels of a data set, and of each class."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        self._all = LabelQuality()
        self._of_class = {cls: LabelQuality() for cls in classes}

    def add(self, label: PseudoLabel) -> None:
        """Count one pseudo-label."""
        self._all.add(label)
        self._of_class[label.object_class].add(label)

    def metrics(self) -> dict[str, float]:
        """Numbers by key, of all labels, and of each of several classes."""
        metrics = self._all.metrics("")
        if not self._classes.is_single:
            for cls, quality in self._of_class.items():
                metrics |= quality.metrics(self._classes.suffix_of(cls))
        return metrics

    def summary(self) -> str:
        """The number of labels and their mean agreement, in one sentence."""
        counts = f"{self._all.accepted} pseudo-labels accepted, {self._all.rejected} rejected"
        agreement = self._all.box_agreement
        if agreement is None:
            return counts
        return (
            f"{counts}; agreement of their masks with the drawn boxes: {agreement:.2f} (mean IoU)"
        )

    def title(self) -> str:
        """The summary, followed by one line per class whose masks fit the boxes poorly."""
        poor = [
            f"{subject}the masks fit the drawn boxes poorly ({quality.details()})"
            for subject, quality in self._poor_classes()
        ]
        return "\n".join([self.summary(), *poor])

    def warnings(self, backbone: str) -> list[str]:
        """What was found and what to try, for each class whose masks fit the boxes poorly.

        Args:
          backbone: name of the backbone that predicted the masks.
        """
        other = other_backbones(backbone)[0]
        return [
            f"{subject}the masks of {backbone} fit the drawn boxes poorly ({quality.details()}); "
            f"training on them will give poor masks; look at {LABEL_REPORT.as_posix()}: if the "
            f"boxes are tight, try another backbone, such as {other}"
            for subject, quality in self._poor_classes()
        ]

    def _poor_classes(self) -> Iterator[tuple[str, LabelQuality]]:
        """The start of a sentence about each poor class, and its quality."""
        for cls, quality in self._of_class.items():
            if quality.is_poor:
                yield self._subject(cls), quality

    def _subject(self, cls: ObjectClass) -> str:
        return "" if self._classes.is_single else f"class {cls.name}: "

"""Reports of how well the pseudo-labels fit the drawn boxes, before a training uses them.

No true mask is read. A class whose masks contradict their boxes is found. A class whose masks agree
with their boxes, but have a wrong outline inside of them, is not.
"""

from collections.abc import Iterator
from statistics import fmean

from automedsam.cases.classes import Classes, ObjectClass
from automedsam.runtime.paths import LABEL_REPORT
from automedsam.supervision.pseudo_labels import PseudoLabel

# In docs/outputs.md, masks of whole objects agree by 0.84 or more, masks of a ring by 0.55 or less,
# and masks of real images from a backbone that was trained on phantoms mostly by 0.69 or less.
MIN_BOX_AGREEMENT = 0.75
MAX_REJECTED_SHARE = 1 / 3
OTHER_BACKBONES = {"sam_tiny": "lite_medsam", "medsam_vit_b": "sam_vit_b"}  # to try next


class LabelQuality:
    """Counts of pseudo-labels, and the agreement of their masks with the drawn boxes."""

    def __init__(self) -> None:
        self.accepted = 0
        self.rejected = 0
        self._agreements: list[float] = []

    def add(self, label: PseudoLabel) -> None:
        """Count one pseudo-label."""
        self.accepted += label.rejection is None
        self.rejected += label.rejection is not None
        self._agreements.append(label.box_agreement)

    @property
    def box_agreement(self) -> float | None:
        """Mean agreement, 0 to 1, rejected labels included; `None` without labels."""
        return fmean(self._agreements) if self._agreements else None

    @property
    def is_poor(self) -> bool:
        """Whether the masks fit the drawn boxes poorly; `False` without labels."""
        agreement = self.box_agreement
        if agreement is None:
            return False
        few_accepted = self.rejected > MAX_REJECTED_SHARE * len(self._agreements)
        return few_accepted or agreement < MIN_BOX_AGREEMENT

    def details(self) -> str:
        """Agreement and rejected labels in words; requires at least one label."""
        count = len(self._agreements)
        return f"mean IoU {self.box_agreement:.2f}, {self.rejected} of {count} rejected"

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
                metrics |= quality.metrics(f"_of_{cls.name}")
        return metrics

    def summary(self) -> str:
        """The number of labels and their mean agreement, in one sentence."""
        counts = f"{self._all.accepted} pseudo-labels accepted, {self._all.rejected} rejected"
        agreement = self._all.box_agreement
        if agreement is None:
            return counts
        return f"{counts}; their masks agree with the drawn boxes by {agreement:.2f} (mean IoU)"

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
        other = OTHER_BACKBONES.get(backbone, "medsam_vit_b")
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

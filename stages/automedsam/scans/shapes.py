"""The shapes of images, read when they are needed: most images may not be annotated."""

from collections.abc import Callable, Iterator, Mapping

from automedsam.runtime.errors import InputError
from automedsam.scans.scan import Scan

Shape = tuple[int, int, int]  # slices, height, width


class LazyShapes(Mapping[str, Shape]):
    """Shapes by image, each read once.

    Args:
      openers: image path to a function that opens the image.

    Raises:
      InputError: on access to an image that cannot be read.
    """

    def __init__(self, openers: Mapping[str, Callable[[], Scan]]) -> None:
        self._openers = openers
        self._found: dict[str, Shape | InputError] = {}

    def __getitem__(self, image: str) -> Shape:
        if image not in self._found:
            try:
                self._found[image] = self._openers[image]().shape
            except InputError as error:
                self._found[image] = error
        found = self._found[image]
        if isinstance(found, InputError):
            raise InputError(str(found))
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._openers)

    def __len__(self) -> int:
        return len(self._openers)


class SliceCounts(Mapping[str, int]):
    """The number of slices by image; 0 for an image that cannot be read."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = shapes

    def __getitem__(self, image: str) -> int:
        try:
            return self._shapes[image][0]
        except InputError:
            return 0

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

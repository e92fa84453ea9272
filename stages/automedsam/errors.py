"""The one exception that means: the input is at fault, and here is what to change."""


class InputError(ValueError):
    """Bad input, told in a line that names the file or key, what was expected and what was found."""

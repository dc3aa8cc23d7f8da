"""The typed errors of the project: one sentence a user can act on, never a traceback."""

from __future__ import annotations

from pathlib import Path


class TriptychError(Exception):
    """Base of every error that a user is told about; its text is one clear sentence."""


class InputError(TriptychError):
    """A file or a value that cannot be used.

    The text says which file, which field, what was expected, what was found and what to do.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        expected: str,
        found: str,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.path = Path(path)
        self.field = field
        self.expected = expected
        self.found = found
        self.remedy = remedy
        where = f"{path}" if field is None else f"{path}: {field}"
        text = f"{where}: expected {expected}, found {found}"
        super().__init__(text if remedy is None else f"{text}; {remedy}")


class NotServedError(TriptychError):
    """A key or an option that this version knows by name but does not serve yet."""


class ResultError(InputError):
    """A result file that cannot be opened or is not one of ours."""

"""How a program can fail, in words."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

from wizard.errors import TierupError


class ProcessError(TierupError):
    """A program is missing, took too long, said too much or failed."""


def too_long(name: str, timeout: float) -> ProcessError:
    return ProcessError(f"`{Path(name).name}` did not finish within {timeout:g} s and was stopped")


def ending(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def last_words(stream: bytes) -> str:
    """The last lines a program said, as one harmless line."""
    text = " ".join(stream[-4096:].decode("utf-8", "replace").split())[-500:]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)

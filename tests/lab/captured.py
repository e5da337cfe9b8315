"""Programs on the PATH that write down how they were called, and then are what they stand for."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

WRAPPER = """#!/bin/sh
call="{calls}/{name}.$$.$(date +%s%N)"
cat "/proc/$$/cmdline" > "$call.argv"
cat "/proc/$$/environ" > "$call.environ"
exec '{real}' "$@"
"""


@dataclass(frozen=True, slots=True)
class Captured:
    """`programs` goes first on the PATH; `calls` fills with one .argv and one .environ for each call."""

    programs: Path
    calls: Path

    @classmethod
    def of(cls, names: Iterable[str], folder: Path, path: str) -> Captured:
        """Wrappers for programs that `path` finds. What is inherited (descriptors of pipes) goes through."""
        made = cls(folder / "bin", folder / "calls")
        made.programs.mkdir(parents=True)
        made.calls.mkdir()
        for name in names:
            real = shutil.which(name, path=path)
            assert real is not None, f"{name} is not on the PATH"
            wrapper = made.programs / name
            wrapper.write_text(WRAPPER.format(calls=made.calls, name=name, real=real))
            wrapper.chmod(0o755)
        return made

    def argv(self, name: str) -> list[list[str]]:
        """The argument lists of all calls of a program, without the shell's own word."""
        files = sorted(self.calls.glob(f"{name}.*.argv"))
        return [file.read_bytes().decode("utf-8", "replace").split("\0")[1:-1] for file in files]

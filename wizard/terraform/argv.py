"""Command lines of Terraform, built by python-terraform and by nothing else of it.

Its own way to run programs loses output, writes variables to temporary files and its log, and parses the state with every
command (0.10.1); so the class below switches these off and only `generate_cmd_string` is called. Values never go through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from python_terraform import IsFlagged
from python_terraform import Terraform as _Library

FLAG: Any = IsFlagged
"""A flag without a value, as in `argv(program, "plan", json=FLAG)`."""


class _Builder(_Library):  # type: ignore[misc]  # the library carries no types
    def read_state_file(self, file_path: object = None) -> None:
        """The library would parse the state here: it is not ours to read, and a killed run may have left it empty."""
        self.tfstate = None


def argv(program: Path, command: str, *arguments: str, **options: Any) -> list[str]:
    """The argument list: `lock_timeout="60s"` becomes `-lock-timeout=60s`, True/False `=true`/`=false`, a list one flag per
    item, None nothing. Mappings are refused except for `backend_config`: the library would write them to a file on disk."""
    for name, value in options.items():
        if isinstance(value, Mapping) and name != "backend_config":
            raise TypeError(f"{name}: python-terraform would write this mapping to a temporary file")
    builder = _Builder(working_dir=None, terraform_bin_path=str(program))
    built = builder.generate_cmd_string(command, *arguments, **options)
    return [str(part) for part in built]

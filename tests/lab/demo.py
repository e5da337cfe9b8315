"""`make run`: a preset from nothing to all tiers Ready, in a lab that stays up afterwards; `python -m tests.lab.demo [PRESET]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.lab import Lab
from tests.lab.driver import Tierup

NAME = "demo"


def main(preset: str = "homelab") -> int:
    """Install the preset (a name, or a file) into the lab "demo"; the exit code of `tierup apply`."""
    lab = Lab.up(NAME)
    operator = Tierup(lab, lab.directory / "operator", preset)
    operator.home.mkdir(exist_ok=True)
    argv = [sys.executable, "-P", "-m", "wizard.cli", "apply", operator.preset, *operator.plan_options(), "--yes"]
    code = os.spawnve(os.P_WAIT, sys.executable, argv, operator.environment)
    python = Path(os.path.relpath(sys.executable))
    print(f"""
The lab stays up. Run it again (nothing changes): make run      Take it away: make lab-down
Look into it:
  eval "$({python} -m tests.lab env --name {NAME})"; export TIERUP_HOME={operator.home}
  {python.parent / "tierup"} status""")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))

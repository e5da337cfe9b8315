"""`make run`: the homelab preset from nothing to five tiers Ready, in a lab that stays up afterwards."""

from __future__ import annotations

import os
import sys

from tests.lab import Lab
from tests.lab.driver import Tierup

NAME = "demo"


def main() -> int:
    lab = Lab.up(NAME)
    operator = Tierup(lab, lab.directory / "operator")
    operator.home.mkdir(exist_ok=True)
    argv = [sys.executable, "-P", "-m", "wizard.cli", "apply", operator.preset, *operator.plan_options(), "--yes"]
    code = os.spawnve(os.P_WAIT, sys.executable, argv, operator.environment)
    python = os.path.relpath(sys.executable)
    print(f'\nThe lab stays up. Look into it:  eval "$({python} -m tests.lab env --name {NAME})"')
    print("Run it again (nothing changes): make run      Take it away: make lab-down")
    return code


if __name__ == "__main__":
    sys.exit(main())

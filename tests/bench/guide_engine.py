"""An engine that pushes the guides' layout instead of tierup's: `python -P -m tests.bench.guide_engine RUN`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.bench.guide_layout import as_guide
from wizard.journeys import __main__ as engine
from wizard.journeys import look
from wizard.plan import Plan


def main(run: Path) -> int:
    """Run the journey with `look.render` replaced; everything else is the product."""
    render = look.__dict__["render"]

    def rendered(plan: Plan, *rest: Any, **more: Any) -> dict[str, bytes]:
        return as_guide(render(plan, *rest, **more), plan.name)

    look.__dict__["render"] = rendered  # the name as the journey looks it up
    return engine.main(run)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

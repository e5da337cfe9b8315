"""Setting values at the places that the catalog's paths name."""

from __future__ import annotations

from typing import Any

from wizard.catalog.paths import Steps


def put(tree: dict[str, Any], walk: Steps, value: Any) -> None:
    """Set `value` where `walk` leads, making maps and lists on the way; what is in the way and neither is replaced."""
    here: Any = tree
    for step, following in zip(walk, (*walk[1:], None), strict=True):
        if isinstance(step, int):
            while len(here) <= step:
                here.append({})
        if following is None:
            here[step] = value
            return
        below = here[step] if isinstance(step, int) else here.get(step)
        wanted: type = list if isinstance(following, int) else dict
        if not isinstance(below, wanted):
            here[step] = wanted()
        here = here[step]

"""An order in words and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.text import clean

if TYPE_CHECKING:
    from wizard.order.graph import Order

_PARTS = {"claims": "what it needs before it starts", "config": "what is made once it runs"}


def text(order: Order) -> str:
    """Levels from the top, each node with its reasons, and what was brought along."""
    lines = []
    for number, level in enumerate(order.levels, 1):
        lines.append(f"{number}.")
        for node in level:
            lines.append(f"  {node}{_part(order, node)}")
            lines += [f"      waits for {edge.target}: {clean(edge.because)}" for edge in order.reasons(node)]
    if order.brought:
        lines.append("brought along")
        lines += [f"  {chart}: {clean(why)}" for chart, why in sorted(order.brought.items())]
    return "\n".join(lines)


def _part(order: Order, node: str) -> str:
    chart, _, part = node.partition("/")
    about = _PARTS.get(part) or ("brought along" if chart in order.brought else "")
    return f" ({about})" if about else ""


def mermaid(order: Order) -> str:
    """A flowchart, arrows from what must be there to what waits for it; dotted: Terraform's, thick: a tier gate."""
    ids = {node: f"n{number}" for number, node in enumerate(node for level in order.levels for node in level)}
    lines = ["flowchart LR"]
    for node, short in ids.items():
        chart, _, part = node.partition("/")
        title = order.titles.get(chart, chart) + (f": {part}" if part else "")
        lines.append(f"  {short}[{_quoted(title)}]")
    arrows = {"cluster": "-.->", "tier": "==>"}
    lines += [f"  {ids[edge.target]} {arrows.get(edge.kind, '-->')} {ids[edge.source]}" for edge in order.edges]
    return "\n".join(lines) + "\n"


def _quoted(title: str) -> str:
    """Mermaid reads `#name;` and quotes as syntax within a label."""
    safe = clean(title, limit=80).replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
    return f'"{safe}"'

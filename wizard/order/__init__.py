"""What waits for what: a plan resolved against the catalog and what the cluster has already."""

from __future__ import annotations

from wizard.order.graph import Edge, Order
from wizard.order.resolving import resolve

__all__ = ["Edge", "Order", "resolve"]

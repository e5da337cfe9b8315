"""What the cluster itself offers: what was there before, not what an earlier run of this plan put there."""

from __future__ import annotations

from wizard.catalog import Catalog
from wizard.state import ClusterFacts


def met_by_cluster(facts: ClusterFacts | None, catalog: Catalog) -> frozenset[str]:
    """Requirements the cluster meets without any chart of ours, and the names of its custom resource definitions.

    What belongs to a chart of the catalog whose Helm release is installed does not count: it was installed by a plan, and a chart
    that was brought along once must be brought along again, else the second run would take it away.
    """
    if facts is None:
        return frozenset()
    installed = [chart for chart in catalog.charts.values() if (chart.namespace, chart.release) in facts.helm_releases]
    ids = {chart.id for chart in installed}
    ours = {f"storage-class/{name}" for chart in installed for name in chart.classes.storage}
    ours |= {f"ingress-class/{name}" for chart in installed for name in chart.classes.ingress}
    found = facts.provides - ours - {"storage-class", "cni"}
    if any(f"storage-class/{one.name}" not in ours for one in facts.storage_classes):
        found |= {"storage-class"}
    if any(name.casefold() not in ids for name in facts.cni):
        found |= {"cni"}
    if any(name.startswith("ingress-class/") for name in found):
        found |= {"ingress"}
    return frozenset(found) | (facts.crds - {name for chart in installed for name in chart.crds.names})

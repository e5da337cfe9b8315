"""Where things lie in the homelab repository, and how Flux calls them.

A node of the order is a chart (`id`), what it needs before it starts (`id/claims`) or what is made once it runs
(`id/config`); each is one Flux Kustomization and one folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FLUX_NAMESPACE: Final = "flux-system"
GIT_SOURCE: Final = "flux-system"
"""Name of the GitRepository that the FluxInstance makes."""
SETTINGS: Final = "cluster-settings"
"""ConfigMap in the Flux namespace whose entries stand in for `${name}`."""
NAMESPACES: Final = "namespaces"
"""Folder of the namespaces. The Kustomization that Flux starts from applies them itself, before all else it holds: a Kustomization
of their own would cost every other one a dependency, seen again after 2 s."""
TERRAFORM_TIER: Final = "cluster"
"""Charts of this tier are installed by Terraform before Flux runs; Flux gets their custom resources alone."""
RENDER_BRANCH: Final = "tierup/render"
ROOT_FILES: Final = ("README.md", "renovate.json")
"""Files outside the cluster's folder; written only where there are none."""


def cluster_folder(name: str) -> str:
    """The one folder of a repository that belongs to the cluster `name`."""
    return f"clusters/{name}"


def render_branch(name: str) -> str:
    """The branch whose commits are what was rendered for the cluster `name`, untouched by hand."""
    return f"{RENDER_BRANCH}/{name}"


@dataclass(frozen=True, slots=True)
class Node:
    """One Flux Kustomization: a chart or the custom resources around it."""

    chart: str
    part: str = ""
    """Empty for the chart itself, else `claims` or `config`."""

    @property
    def name(self) -> str:
        """Name of the Flux Kustomization and of its folder."""
        return f"{self.chart}-{self.part}" if self.part else self.chart

    def __str__(self) -> str:
        return f"{self.chart}/{self.part}" if self.part else self.chart


def node(text: str) -> Node:
    """The node that the order calls `text`."""
    chart, _, part = text.partition("/")
    return Node(chart, part)

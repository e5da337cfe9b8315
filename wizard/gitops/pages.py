"""The two files at the root of a repository: what lies where, and how versions are kept up to date."""

from __future__ import annotations

import json
import re

_README = """\
# Homelab

What runs on the clusters below `clusters/`. [Flux](https://fluxcd.io) follows this repository: what is merged here is applied.

| path below `clusters/<name>/` | what it is |
|---|---|
| `tierup.yaml` | what was chosen; `tierup apply` renders the rest from it |
| `kustomization.yaml` | what Flux starts from |
| `namespaces/` | every namespace with its Pod Security level |
| `<tier>/<chart>.yaml` | when the chart's turn comes |
| `<tier>/<chart>/` | `source.yaml` (where from, which version) and `helmrelease.yaml` (values) |
| `<tier>/<chart>-claims/`, `-config/` | custom resources the chart needs before it starts, or that are made once it runs |
| `terraform/` | CNI, Secrets, ConfigMaps and Flux itself |

No secret is in here. Terraform makes Secrets from values that stay with you.

Edit any file by hand: what you change stays when tierup renders again. If a file was changed both here and in the plan, tierup
names it and changes nothing. The branches `tierup/render/<name>` hold what was rendered, without your edits.
"""


def readme() -> str:
    """What lies where, for whoever opens the repository."""
    return _README


def renovate(mirror: str | None) -> str:
    """Settings for Renovate: chart versions in `source.yaml`, of mirrored charts from upstream."""
    settings: dict[str, object] = {
        "$schema": "https://docs.renovatebot.com/renovate-schema.json",
        "extends": ["config:recommended"],
        "flux": {"managerFilePatterns": [r"/^clusters/.+\.ya?ml$/"]},
        "customManagers": [
            {
                "customType": "regex",
                "description": "charts read from a mirror",
                "managerFilePatterns": [r"/^clusters/.+/source\.yaml$/"],
                "matchStrings": [
                    r"# renovate: datasource=(?<datasource>\S+) depName=(?<depName>\S+)( registryUrl=(?<registryUrl>\S+))?\n"
                    r"[\s\S]*?\n +tag: [\"']?(?<currentValue>[^\s\"']+)"
                ],
            }
        ],
    }
    if mirror:
        settings["packageRules"] = [{"matchManagers": ["flux"], "matchPackageNames": [f"/^{re.escape(mirror)}//"], "enabled": False}]
    return json.dumps(settings, indent=2) + "\n"

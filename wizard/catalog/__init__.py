"""What can be installed: charts with their options, secrets, needs and offers, read from `presets/charts`."""

from __future__ import annotations

from wizard.catalog.chart import Chart, Health, Provides, Requires, Resources, Workload
from wizard.catalog.kinds import seconds, wrong
from wizard.catalog.linting import BASE_SETTINGS, lint
from wizard.catalog.loading import Catalog, load
from wizard.catalog.need import Generate, SecretNeed
from wizard.catalog.option import Option, Setting
from wizard.catalog.resources import definition_names, settings_in, settings_in_template
from wizard.catalog.source import ManifestSource, OciSource, RepoSource

__all__ = [
    "BASE_SETTINGS",
    "Catalog",
    "Chart",
    "Generate",
    "Health",
    "ManifestSource",
    "OciSource",
    "Option",
    "Provides",
    "RepoSource",
    "Requires",
    "Resources",
    "SecretNeed",
    "Setting",
    "Workload",
    "definition_names",
    "lint",
    "load",
    "seconds",
    "settings_in",
    "settings_in_template",
    "wrong",
]

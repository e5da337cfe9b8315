"""Secrets a chart needs: what for, which Kubernetes Secret they end in, how one can be made, how the chart is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool, StringConstraints

from wizard.catalog.option import Entry, Paths, Pattern
from wizard.catalog.source import Name

Text = Annotated[str, StringConstraints(min_length=1)]


def _condition(value: str) -> str:
    option, _, wanted = value.partition("=")
    if not option or ("=" in value and not wanted):
        raise ValueError("must be the name of a switch, or OPTION=VALUE")
    return value


Condition = Annotated[str, AfterValidator(_condition)]
"""`option`: the switch is on; `option=value`: that is chosen."""


class Generate(Entry):
    """How a secret value can be made."""

    kind: Literal["password", "hex", "base64", "uuid"]
    length: Annotated[int, Field(ge=8, le=256)] = 32


class SecretNeed(Entry):
    """A value that only the operator (or a generator) has and the Kubernetes Secret it ends in."""

    purpose: Text = Field(alias="for")
    secret: Name
    key: Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$")]
    namespace: Name | None = None
    template: str | None = None
    """The stored text: `{value}` stands for the value (once), `{settings.NAME}` for a setting. None: the value itself."""
    type: str = "Opaque"
    generate: Generate | None = None
    fixed: Mapping[str, str] = Field(default_factory=dict)
    existingSecret: Paths = ()
    valuesFrom: Paths = ()
    when: Condition | None = None
    pattern: Pattern = None
    survivesRebuild: StrictBool = False

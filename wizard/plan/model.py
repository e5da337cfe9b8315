"""What the operator wants: the file `tierup.yaml` (a Plan) or one to start from (a Preset). It holds no secret value."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StringConstraints, ValidationError

from wizard.catalog import Catalog, Chart, seconds
from wizard.documents import dump
from wizard.errors import InputError, Problem
from wizard.plan.canonical import canonical
from wizard.plan.words import git_url, registry_http, registry_mirror, secret_source
from wizard.state import TIERS
from wizard.text import closest

SHORTEST_DEADLINE = 600.0
"""Seconds every chart gets at least: images come from far, nodes may have to join."""
PATIENCE = 5.0
"""How many times its usual time a chart may take before it counts as failed."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$")]
ChartId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$")]
SettingName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
Duration = Annotated[float, BeforeValidator(lambda value: seconds(value) if isinstance(value, str) else value)]


class Part(BaseModel):
    """Base of everything a plan holds: unknown fields are refused, nothing changes once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _tier(value: str) -> str:
    if value not in TIERS:
        meant = closest(value, TIERS)
        raise ValueError("is no tier; " + (f"did you mean `{meant}`?" if meant else f"tiers are {', '.join(TIERS)}"))
    return value


def _nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value


class ClusterChoice(Part):
    """Which cluster. `context` is a hint: the operator confirms the server and its identity."""

    context: str | None = None
    distribution: Literal["talos", "k3s", "rke2", "kubeadm", "other"] = "talos"


class Git(Part):
    """The homelab repository; `credential` is the name of a secret below `secrets:`."""

    url: Annotated[str, AfterValidator(git_url)]
    branch: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9._/]{0,200}$")] = "main"
    credential: Name | None = None


class Registry(Part):
    """A mirror of the charts. `mirror` (HOST[:PORT][/PATH]) is an OCI registry, `http` a plain HTTP root for what Terraform reads,
    `insecure` says that the mirror speaks plain HTTP."""

    mirror: Annotated[str, AfterValidator(registry_mirror)] | None = None
    http: Annotated[str, AfterValidator(registry_http)] | None = None
    insecure: StrictBool = False


class ChartChoice(Part):
    """A chart that was chosen. `values` are raw chart values, merged last; `deadline` (seconds) is when it counts as failed."""

    options: dict[str, Any] = Field(default_factory=dict)
    values: dict[str, Any] = Field(default_factory=dict)
    version: Annotated[str, StringConstraints(pattern=r"^v?\d+(\.\d+){1,2}([-+.][0-9A-Za-z.+-]+)?$")] | None = None
    deadline: Annotated[Duration, Field(gt=0)] | None = None


Choices = Annotated[dict[ChartId, Annotated[ChartChoice, BeforeValidator(_nothing_is_empty)]], BeforeValidator(_nothing_is_empty)]


class Plan(Part):
    """Everything an operator chose for one cluster."""

    api_version: Literal["tierup/v1"] = Field(alias="apiVersion")
    kind: Literal["Plan", "Preset"]
    name: Name
    cluster: ClusterChoice = Field(default_factory=ClusterChoice)
    settings: dict[SettingName, str] = Field(default_factory=dict)
    git: Git
    registry: Registry = Field(default_factory=Registry)
    order: Literal["dependencies", "tiers"] = "dependencies"
    charts: dict[Annotated[str, AfterValidator(_tier)], Choices] = Field(default_factory=dict)
    own: dict[ChartId, Chart] = Field(default_factory=dict)
    """Charts that are in no catalog, written as a catalog entry is, by id; each is chosen below its tier like any other."""
    secrets: dict[Name, Annotated[str, AfterValidator(secret_source)]] = Field(default_factory=dict)

    @cached_property
    def choices(self) -> Mapping[str, ChartChoice]:
        """Chart -> what was chosen about it, in the order of the tiers and by name."""
        return {chart: self.charts[tier][chart] for tier in TIERS for chart in sorted(self.charts.get(tier, {}))}

    def catalog(self, catalog: Catalog) -> Catalog:
        """The catalog with the plan's own charts in it, each in the tier it was chosen in."""
        tier_of = {chart: tier for tier in TIERS for chart in self.charts.get(tier, {})}
        return catalog.joined({name: chart.placed(name, tier_of.get(name, "apps")) for name, chart in self.own.items()})

    def deadline(self, chart: Chart) -> float:
        """Seconds after which a chart that is not Ready counts as failed: as given, else 10 minutes or five times the usual."""
        choice = self.choices.get(chart.id)
        return choice.deadline if choice and choice.deadline else max(SHORTEST_DEADLINE, PATIENCE * chart.ready.after)

    def with_overrides(
        self,
        *,
        name: str | None = None,
        git_url: str | None = None,
        branch: str | None = None,
        context: str | None = None,
        settings: Mapping[str, str] | None = None,
        mirror: str | None = None,
        http: str | None = None,
        insecure: bool | None = None,
        secrets: Mapping[str, str] | None = None,
        kind: Literal["Plan", "Preset"] | None = None,
    ) -> Self:
        """This plan with what was said on the command line in its place. InputError when that is not well formed."""
        given: dict[str, Any] = {"name": name, "kind": kind}
        given["git"] = {"url": git_url, "branch": branch}
        given["cluster"] = {"context": context}
        given["registry"] = {"mirror": mirror, "http": http, "insecure": insecure}
        given["settings"], given["secrets"] = dict(settings or {}), dict(secrets or {})
        changed = _over(self.model_dump(by_alias=True, exclude_unset=True, exclude={"own"}), given)
        try:
            return type(self).model_validate({**changed, "own": self.own})
        except ValidationError as error:
            problems = [Problem(f"{'.'.join(str(step) for step in e['loc'])}: {_said(e)}") for e in error.errors(include_input=False)]
            raise InputError(problems) from None

    def to_yaml(self) -> str:
        """The canonical file: fields in their order, names sorted. The same plan is the same bytes."""
        return dump(canonical(self))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical file."""
        return hashlib.sha256(self.to_yaml().encode()).hexdigest()


def _said(error: Any) -> str:
    """The words of our own checks; pydantic's for the rest, which never repeat the value."""
    return str(error.get("ctx", {}).get("error", error["msg"]))


def _over(base: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` laid over `base`, map by map; None means: not given."""
    result = dict(base)
    for key, value in given.items():
        if isinstance(value, dict):
            result[key] = _over(base.get(key) or {}, value)
        elif value is not None:
            result[key] = value
    return result

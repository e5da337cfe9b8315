"""A catalog entry: where a chart comes from, what it needs and gives, what can be chosen, when it is Ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from wizard.catalog.kinds import seconds
from wizard.catalog.need import Condition, SecretNeed, Text
from wizard.catalog.option import Entry, Option, Setting
from wizard.catalog.source import ManifestSource, Name, OciSource, RepoSource, read_source

TIERS: Final = ("cluster", "system", "platform", "core", "apps")
"""In the order they come up."""
Level = Literal["restricted", "baseline", "privileged"]
Seconds = Annotated[float, BeforeValidator(lambda v: seconds(v) if isinstance(v, str) else v)]


class PodSecurity(Entry):
    """The Pod Security level its namespace needs, and why."""

    level: Level
    because: Text


class Provides(Entry):
    """Something other charts may require."""

    what: Text
    by: Literal["chart", "config"] = "chart"
    """`config`: only once the chart's own `resources.config` are Ready."""
    when: Condition | None = None
    exclusive: StrictBool = False
    """Only one chart of a plan may provide it (a default storage class)."""


class Requires(Entry):
    """Something that must be Ready before: a chart's id, or a word that charts provide."""

    what: Text
    because: Text
    when: Condition | None = None
    optional: StrictBool = False
    """Only an edge if a provider is chosen anyway."""
    at: Literal["chart", "claims", "config"] = "chart"
    """What of this chart waits: the chart itself or one of its sets of resources."""


class Resources(Entry):
    """Custom resources around the chart."""

    claims: list[dict[str, Any]] = Field(default_factory=list)
    config: list[dict[str, Any]] = Field(default_factory=list)


class Health(Entry):
    """When a resource of this kind is Ready, in CEL over the object."""

    apiVersion: Text
    kind: Text
    current: Text
    inProgress: str | None = None
    failed: str | None = None


class Workload(Entry):
    kind: Literal["Deployment", "StatefulSet", "DaemonSet", "Job"]
    name: Name


class Crds(Entry):
    """Custom resource definitions and what happens to them. Classes: `keep` (templates that survive an uninstall), `templates`
    (deleted with the release), `folder` (crds/, never upgraded by Helm itself), `runtime` (made by the running operator)."""

    cls: Literal["keep", "templates", "folder", "runtime"] = Field(alias="class", default="templates")
    names: tuple[str, ...] = ()


class Classes(Entry):
    """Names of the classes it makes."""

    storage: tuple[str, ...] = ()
    ingress: tuple[str, ...] = ()
    gateway: tuple[str, ...] = ()
    csi: tuple[str, ...] = ()


class Ready(Entry):
    """How long it usually takes (seconds) and what Ready means."""

    after: Seconds
    means: Text


class Requests(Entry):
    """What it asks for in all (Kubernetes quantities)."""

    cpu: str
    memory: str


class Talos(Entry):
    """What a Talos node needs: system extensions and machine-config patches."""

    extensions: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()


class Proof(Entry):
    """Where version and values were read: `OWNER/REPO@REF:PATH`."""

    version: Text
    values: Text
    checked: str


class Chart(Entry):
    """One chart of the catalog. `id` and `tier` come from where its file lies."""

    id: str = Field(default="", exclude=True)
    tier: str = Field(default="", exclude=True)
    title: Text
    about: Text
    links: Mapping[str, str] = Field(default_factory=dict)
    licence: str | None = None
    maturity: Literal["stable", "young", "one-person", "archived"] = "stable"
    source: Annotated[OciSource | RepoSource | ManifestSource, BeforeValidator(read_source)]
    namespace: Name
    release: str = ""
    pod_security: PodSecurity = Field(alias="podSecurity")
    provides: tuple[Annotated[Provides, BeforeValidator(lambda v: {"what": v} if isinstance(v, str) else v)], ...] = ()
    requires: tuple[Requires, ...] = ()
    conflicts: tuple[str, ...] = ()
    options: Mapping[str, Option] = Field(default_factory=dict)
    settings: Mapping[str, Setting] = Field(default_factory=dict)
    secrets: Mapping[Name, SecretNeed] = Field(default_factory=dict)
    values: dict[str, Any] = Field(default_factory=dict)
    resources: Resources = Field(default_factory=Resources)
    health: tuple[Health, ...] = ()
    wait: StrictBool = True
    workloads: tuple[Workload, ...] = ()
    crds: Crds = Field(default_factory=Crds)
    classes: Classes = Field(default_factory=Classes)
    ready: Ready
    requests: Requests | None = None
    talos: Talos = Field(default_factory=Talos)
    warnings: tuple[str, ...] = ()
    proof: Proof | None = None

    @model_validator(mode="after")
    def _conditions_name_options(self) -> Self:
        resources = [*self.resources.claims, *self.resources.config]
        conditions = [p.when for p in self.provides if p.when]
        conditions += [r.when for r in self.requires if r.when] + [s.when for s in self.secrets.values() if s.when]
        conditions += [str(resource["when"]) for resource in resources if "when" in resource]
        for name in (*(c.partition("=")[0] for c in conditions), *(o.needs for o in self.options.values() if o.needs)):
            if name not in self.options:
                raise ValueError(f"`when` and `needs` name an option of this chart; there is no option {name}")
        return self

    def placed(self, chart_id: str, tier: str) -> Chart:
        """This entry under its id in its tier; the release is called as the chart unless the entry says otherwise."""
        return self.model_copy(update={"id": chart_id, "tier": tier, "release": self.release or chart_id})

    def holds(self, when: str | None, given: Mapping[str, Any]) -> bool:
        """Whether a condition holds with the options given, others at their defaults."""
        if when is None:
            return True
        name, _, wanted = when.partition("=")
        value = given.get(name, self.options[name].default)
        return value == wanted if wanted else value is True

    def needs(self, given: Mapping[str, Any]) -> dict[str, SecretNeed]:
        """The secrets it needs with the options given."""
        return {name: need for name, need in self.secrets.items() if self.holds(need.when, given)}

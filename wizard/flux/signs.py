"""Texts that give a cause away, in the order they are tried: the narrower before the wider (bootstrap.md 4.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sign:
    """A text that gives a cause away. `what` may use the groups of `pattern`."""

    pattern: re.Pattern[str]
    what: str
    remedy: str


def _sign(pattern: str, what: str, remedy: str) -> Sign:
    return Sign(re.compile(pattern, re.I | re.S), what, remedy)


_NAME = r"([^'\"\s,]{1,300})"
SIGNS = (
    _sign(
        r"could not resolve (Secret|ConfigMap) chart values reference '" + _NAME + r"' with key '([^']{0,253})':.{0,300}key not found",
        "{0} {1} has no key {2}, which the chart's values are taken from",
        "add the key to the secret's entry in the plan, then apply again",
    ),
    _sign(
        r"could not resolve (Secret|ConfigMap) chart values reference '" + _NAME + r"'",
        "{0} {1}, which the chart's values are taken from, is missing",
        "give its value (tierup asks for it) and apply again",
    ),
    _sign(
        r"substitute from '(Secret|ConfigMap)/" + _NAME + r"' error",
        "{0} {1} with the cluster's settings is missing",
        "apply again: Terraform makes it",
    ),
    _sign(
        r"variable not set|envsubst error",
        "a ${{…}} in the repository has no value",
        "add it to the settings of the plan, or escape it as $${{…}}",
    ),
    _sign(
        r"values don't meet the specifications of the schema",
        "the chart refuses its values (its schema says what is wrong)",
        "correct the value that the message names",
    ),
    _sign(
        r"no matches for kind \"([^\"]{1,120})\" in version \"([^\"]{1,200})\"",
        "kind {0} ({1}) is not known: its CRD is missing",
        "add the chart that brings this CRD, or wait if it is being installed",
    ),
    _sign(
        r"failed calling webhook \"([^\"]{1,253})\".{0,600}"
        r"(no endpoints available|connection refused|context deadline exceeded|i/o timeout|no such host)",
        "admission webhook {0} does not answer ({1})",
        "look at the pods of its service; it is tried again by itself",
    ),
    _sign(
        r"failed calling webhook \"([^\"]{1,253})\"",
        "admission webhook {0} does not answer",
        "look at the pods of its service; it is tried again by itself",
    ),
    _sign(
        r"admission webhook \"([^\"]{1,253})\" denied",
        "admission webhook {0} refuses an object",
        "the message names the rule: change the value or the policy",
    ),
    _sign(
        r"violates PodSecurity \"?(\w+)",
        "pods are refused by Pod Security level {0}",
        "label the namespace pod-security.kubernetes.io/enforce: privileged",
    ),
    _sign(r"exceeded quota", "a quota of the namespace is used up", "raise the ResourceQuota or lower the chart's requests"),
    _sign(
        r"\bhooks?\b.{0,200}(failed|timed out|BackoffLimitExceeded|deadline exceeded)|BackoffLimitExceeded",
        "a hook job of the chart failed",
        "read the log of the hook's pod; it is tried again",
    ),
    _sign(
        r"MANIFEST_UNKNOWN|NAME_UNKNOWN|failed to determine artifact digest:.{0,300}(404|not found)",
        "this chart or version does not exist in its registry",
        "correct the version or the registry",
    ),
    _sign(
        r"no match found for semver|no '([^']{1,200})' chart with version matching '([^']{1,100})' found|no chart version found"
        r"|chart \S{1,200} (?:version \S{1,100} )?not found",
        "this chart or version does not exist in its repository",
        "correct the version in the plan",
    ),
    _sign(
        r"invalid chart reference|failed to find layer with media type",
        "what the registry holds there is not a Helm chart",
        "correct the chart's address",
    ),
    _sign(
        r"TOOMANYREQUESTS|rate limit|429 Too Many", "the registry's rate limit is used up", "wait, log in to the registry, or use a mirror"
    ),
    _sign(
        r"AuthenticationFailed|authentication required|UNAUTHORIZED|\b401\b|\bDENIED\b|invalid credentials"
        r"|ssh: handshake failed|could not read Username",
        "access is refused: credentials are missing, wrong or expired",
        "give new credentials and apply again",
    ),
    _sign(
        r"knownhosts: key mismatch|key is unknown",
        "the SSH host key is not the one that is known",
        "check that it is the right server before you accept its key",
    ),
    _sign(
        r"couldn't find remote ref \"?refs/heads/" + _NAME,
        "branch {0} does not exist in the Git repository",
        "push the branch or correct its name",
    ),
    _sign(
        r"kustomization path not found",
        "the path that Flux shall follow does not exist in the Git repository",
        "push the repository, or correct the path",
    ),
    _sign(
        r"repository not found",
        "the Git repository does not exist, or these credentials may not see it",
        "check its URL and the token's rights",
    ),
    _sign(
        r"lookup \S{1,253}.{0,80}(no such host|i/o timeout|server misbehaving)|no such host",
        "a name cannot be resolved from inside the cluster",
        "look at CoreDNS and the nodes' own DNS",
    ),
    _sign(
        r"i/o timeout|connection refused|no route to host|TLS handshake timeout|Client\.Timeout|connection reset"
        r"|(get|fetch|pull|clone)\S{0,20} .{0,300}context deadline exceeded",
        "the server does not answer",
        "check network, firewall and the server itself; it is tried again",
    ),
    _sign(
        r"x509:|certificate signed by unknown authority",
        "the server's certificate is not trusted",
        "give Flux the CA certificate, or use a public one",
    ),
    _sign(r"failed early due to stalled resources: \[([^\]]{1,600})\]", "{0}: it cannot get ready", "look at the pods it names"),
    _sign(r"timeout waiting for: \[([^\]]{1,600})\]", "not ready in time: {0}", "look at the pods it names"),
    _sign(r"cannot create resource|is forbidden", "Flux is not allowed to make an object", "the message names the right that is missing"),
    _sign(
        r"namespaces? \"([^\"]{1,70})\" not found", "namespace {0} is missing", "it comes with the Kustomization `namespaces`: look there"
    ),
)

"""Builds every program of the lab from Go modules. Nothing is downloaded but modules; a second call is a look into the cache."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.lab.cache import Report, content_hash, made

HERE = Path(__file__).parent
KUBERNETES = "v1.36.3"
GATEWAY_API = "v1.5.1"
FLUX_OPERATOR = "github.com/controlplaneio-fluxcd/flux-operator"
TOOLS = {
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "source-controller": "github.com/fluxcd/source-controller",
    "kustomize-controller": "github.com/fluxcd/kustomize-controller",
    "helm-controller": "github.com/fluxcd/helm-controller",
    "registry": "github.com/distribution/distribution/v3/cmd/registry",
    "helm": "helm.sh/helm/v4/cmd/helm",
}
_VERSION = "k8s.io/component-base/version"
# Without these the API server calls itself v0.0.0 and every chart with a kubeVersion is refused.
_STAMPS = {"Version": KUBERNETES, "Major": "1", "Minor": KUBERNETES.split(".")[1], "TreeState": "clean", "Commit": "lab"}
LINK = " ".join(["-s -w", *(f"-X {_VERSION}.git{name}={value}" for name, value in _STAMPS.items())])


class BuildError(RuntimeError):
    """A program could not be built; the text holds the end of the compiler's output."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the built things lie."""

    control: Path
    """bin/ (kubelab, kwok, helm, registry, the Flux programs), crds/, stages/, flux-data/."""
    terraform: Path
    terraform_config: Path | None
    """A CLI configuration that knows only the lab's providers; None while tests/lab/providers holds no program."""
    gateway_api: Path | None
    """Folder with the genuine CRDs of the standard channel; None where the module cannot be had."""

    def bin(self, name: str) -> Path:
        return self.control / "bin" / name


def build(report: Report = print) -> Programs:
    """Everything the lab needs, from the cache where it is there. Cold: about 8 minutes on two cores; warm: milliseconds."""
    control = HERE / "control"
    files = [control / "go.mod", control / "go.sum", *control.glob("*.go")]
    folder = made("control", content_hash(files, LINK), lambda draft: _control(draft, report), report)
    gateway = made("gateway-api", GATEWAY_API, lambda draft: _gateway_api(draft, report), report)
    mirror = _providers(report)
    return Programs(
        control=folder,
        terraform=_terraform(report),
        terraform_config=mirror / "cli.tfrc" if mirror else None,
        gateway_api=gateway if any(gateway.glob("*.yaml")) else None,
    )


def _go(arguments: list[str], cwd: Path, **environment: str) -> str:
    run = subprocess.run(
        ["go", *arguments],
        cwd=cwd,
        env={**os.environ, "CGO_ENABLED": os.environ.get("CGO_ENABLED", "1"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise BuildError(f"go {' '.join(arguments)} (in {cwd}) failed:\n" + "\n".join(run.stderr.splitlines()[-40:]))
    return run.stdout


def _compile(name: str, package: str, output: Path, cwd: Path, report: Report, *flags: str) -> None:
    began = time.monotonic()
    report(f"building {name} ...")
    _go(["build", *flags, f"-ldflags={LINK}", "-o", str(output), package], cwd)
    report(f"building {name}: {time.monotonic() - began:.0f} s")


def module_folder(module: str, cwd: Path) -> Path:
    return Path(json.loads(_go(["mod", "download", "-json", module], cwd))["Dir"])


def _control(draft: Path, report: Report) -> None:
    source = HERE / "control"
    report("downloading Go modules (3 GiB from an empty cache) ...")
    _go(["mod", "download"], source)
    (draft / "bin").mkdir()
    _compile("kubelab (etcd, API server, controller manager, scheduler)", ".", draft / "bin" / "kubelab", source, report)
    for name, package in TOOLS.items():
        _compile(name, package, draft / "bin" / name, source, report)
    operator = module_folder(FLUX_OPERATOR, source)
    _flux_operator(operator, draft, report)
    shutil.copytree(operator / "config" / "crd" / "bases", draft / "crds" / "flux-operator")
    shutil.copytree(operator / "config" / "data", draft / "flux-data")
    kwok = module_folder("sigs.k8s.io/kwok", source)
    shutil.copytree(kwok / "kustomize" / "crd" / "bases", draft / "crds" / "kwok")
    (draft / "stages").mkdir()
    for stage in ("node/fast/node-initialize", "node/heartbeat-with-lease/node-heartbeat-with-lease", "pod/fast/pod-delete"):
        shutil.copy(kwok / "kustomize" / "stage" / f"{stage}.yaml", draft / "stages")
    for path in draft.rglob("*"):  # the module cache is read-only, and copies keep that
        path.chmod(path.stat().st_mode | 0o200)


def _flux_operator(module: Path, draft: Path, report: Report) -> None:
    """Its web page is not part of the module: build from a copy that has an empty one, by a go.mod that points there."""
    copy = draft / ".operator"
    shutil.copytree(module, copy, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("docs", "data", "test"))
    for folder in [copy, *(path for path in copy.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)
    (copy / "web" / "dist").mkdir()
    (copy / "web" / "dist" / "index.html").write_text("<!doctype html><title>lab</title>\n")
    source = HERE / "control"
    modfile = draft / ".operator.mod"
    shutil.copy(source / "go.mod", modfile)
    shutil.copy(source / "go.sum", modfile.with_suffix(".sum"))
    _go(["mod", "edit", f"-replace={FLUX_OPERATOR}={copy}", str(modfile)], source)
    _compile("flux-operator", f"{FLUX_OPERATOR}/cmd/operator", draft / "bin" / "flux-operator", source, report, f"-modfile={modfile}")
    shutil.rmtree(copy)
    modfile.unlink()
    modfile.with_suffix(".sum").unlink()


def _gateway_api(draft: Path, report: Report) -> None:
    """The genuine CRDs where the module can be had; an empty folder (the lab then makes simple ones of the same names) where not."""
    try:
        module = module_folder(f"sigs.k8s.io/gateway-api@{GATEWAY_API}", draft)
    except BuildError as problem:
        report(f"gateway-api {GATEWAY_API}: no module, simple CRDs stand in ({str(problem).splitlines()[-1]})")
        return
    for path in sorted((module / "config" / "crd" / "standard").glob("*.yaml")):
        shutil.copyfile(path, draft / path.name)


def _terraform(report: Report) -> Path:
    found = shutil.which("terraform") or shutil.which("tofu")
    if found:
        return Path(found)
    source = HERE / "tofu"
    key = content_hash([source / "go.mod", source / "go.sum"])

    def make(draft: Path) -> None:
        _compile("OpenTofu (there is no terraform on the PATH; about 3 minutes)", TOFU, draft / "terraform", source, report)

    return made("tofu", key, make, report) / "terraform"


TOFU = "github.com/opentofu/opentofu/cmd/tofu"
PROVIDERS = {"kubernetes": "3.2.1", "helm": "3.1.2"}
REGISTRIES = ("registry.terraform.io", "registry.opentofu.org")


def _providers(report: Report) -> Path | None:
    source = HERE / "providers"
    if not all(list((source / "cmd" / f"terraform-provider-{name}").glob("*.go")) for name in PROVIDERS):
        return None
    files = [source / "go.mod", source / "go.sum", *source.rglob("*.go")]
    try:
        mirror = made("providers", content_hash(files, *PROVIDERS.values()), lambda draft: _mirror(draft, source, report), report)
    except BuildError as problem:  # the cluster is of use without Terraform; what needs it finds no CLI configuration and says so
        report(f"providers: not built, Terraform will not work here: {problem}")
        return None
    if not (mirror / "cli.tfrc").exists():
        write_cli_config(mirror)
    return mirror


def _mirror(draft: Path, source: Path, report: Report) -> None:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    first, second = (draft / "mirror" / registry / "hashicorp" for registry in REGISTRIES)
    for name, version in PROVIDERS.items():
        folder = Path(name) / version / f"{platform.system().lower()}_{machine}"
        program = f"terraform-provider-{name}_v{version}"
        (first / folder).mkdir(parents=True)
        (second / folder).mkdir(parents=True)
        _compile(f"terraform-provider-{name}", f"./cmd/terraform-provider-{name}", first / folder / program, source, report)
        os.link(first / folder / program, second / folder / program)


def write_cli_config(mirror: Path) -> None:
    """Only the mirror may serve providers: nothing is asked of a registry, and an unknown provider is an error at once."""
    source = f'    path    = "{mirror / "mirror"}"\n    include = ["*/*/*"]\n'
    draft = mirror / f".cli.{os.getpid()}"
    draft.write_text(f"provider_installation {{\n  filesystem_mirror {{\n{source}  }}\n}}\ndisable_checkpoint = true\n")
    draft.replace(mirror / "cli.tfrc")

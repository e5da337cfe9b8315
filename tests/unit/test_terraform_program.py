"""Which Terraform is good enough, and what an operator reads when none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from wizard.errors import NeedsOperator
from wizard.terraform import argv, program
from wizard.terraform.events import Diagnostic, Raw, parse, problem


def _script(folder: Path, answer: str, code: int = 0) -> Path:
    path = folder / "terraform"
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' '{answer}'\nexit {code}\n")
    path.chmod(0o700)
    return path


def test_the_first_one_on_the_path_is_asked(tmp_path: Path) -> None:
    path = _script(tmp_path, "Terraform v1.13.0-rc1")
    found = program.find(None, environ={"PATH": f"{tmp_path / 'none'}:{tmp_path}"})
    assert found == program.Program(path, "Terraform", "1.13.0-rc1")


def test_opentofu_is_known_by_its_own_name(tmp_path: Path) -> None:
    assert program.find(_script(tmp_path, "OpenTofu v1.12.6")).product == "OpenTofu"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Terraform v1.10.5", "Terraform 1.10.5 .* too old"),
        ("OpenTofu v1.10.9", "OpenTofu 1.10.9 .* too old"),
        ("v2\x1b[2J", "does not tell"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, answer: str, said: str) -> None:
    with pytest.raises(NeedsOperator, match=said) as refused:
        program.find(_script(tmp_path, answer))
    assert "\x1b" not in str(refused.value)


def test_a_missing_one_is_said_with_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(NeedsOperator, match=r"missing: there is no `terraform`[\s\S]*developer\.hashicorp\.com"):
        program.find(None, environ={"PATH": str(tmp_path)})
    with pytest.raises(NeedsOperator, match="not a file"):
        program.find(tmp_path / "terraform")


def test_refused_variables_are_named() -> None:
    environ = {"TF_LOG": "TRACE", "TF_LOG_PATH": "x", "TF_CLI_ARGS_plan": "-x", "TF_VAR_a": "1", "TF_CLI_CONFIG_FILE": "y", "TFX": "z"}
    assert program.refused_variables(environ) == ("TF_CLI_ARGS_plan", "TF_LOG", "TF_LOG_PATH", "TF_VAR_a")


def test_arguments_are_built_and_never_a_file_of_variables() -> None:
    built = argv.argv(
        Path("/bin/terraform"), "plan", "x", json=argv.FLAG, lock=False, lock_timeout="60s", none=None, var_file="{fd:values}"
    )
    assert built == ["/bin/terraform", "plan", "-json", "-lock=false", "-lock-timeout=60s", "-var-file={fd:values}", "x"]
    with pytest.raises(TypeError):
        argv.argv(Path("/bin/terraform"), "plan", var={"a": "secret"})


def test_lines_that_are_not_json_are_kept_harmless() -> None:
    assert parse("panic: \x1b[31mruntime error") == Raw("panic: \N{REPLACEMENT CHARACTER}runtime error")
    assert parse("[1]") == Raw("[1]")
    assert parse("") is None
    assert parse('{"type":"diagnostic"}') == Diagnostic("error", "")


@pytest.mark.parametrize(
    ("detail", "remedy"),
    [("cannot re-use a name that is still in use", "helm"), ("dial tcp: connect: connection refused", "doctor"), ("something else", "")],
)
def test_known_failures_come_with_what_to_do(detail: str, remedy: str) -> None:
    found = problem(Diagnostic("error", "Failed", detail, "helm_release.this"), root="flux")
    assert found.what.startswith("Terraform (flux): helm_release.this: Failed")
    assert remedy in found.remedy
    assert bool(remedy) == bool(found.remedy)

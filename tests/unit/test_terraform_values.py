"""Values of Secrets on their way to Terraform: they arrive unchanged, and nothing else ever holds them."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path

import pytest

from tests.unit.terraform_roots import Root, Seen, watch
from wizard import process
from wizard.errors import InputError, TierupError
from wizard.order.needs import KubernetesSecret, SecretKey
from wizard.secrets import Secret
from wizard.terraform.inputs import SecretValues

CANARY = "canary-7f3a91d2c4b8"
HOSTILE = CANARY + " ${path.module} %{ if true } $${x} $$${y} %%{z} \\ \" ' ` \n\r\t \u202e é 😀 </script> \x00 \x7f " + CANARY

ROOT = """
variable "secret_data_json" {
  type      = string
  ephemeral = true
  default   = "{}"
}

variable "expected" {
  type    = string
  default = "EXPECTED"
}

locals {
  data = jsondecode(var.secret_data_json)
}

resource "terraform_data" "check" {
  input = "checked"
  lifecycle {
    precondition {
      condition     = try(sha256(local.data["vault/token"].key), "") == var.expected
      error_message = "The value did not arrive as it was."
    }
  }
}
"""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Seen:
    found: Seen = []
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(process, "observe", watch(found))
    return found


def _values(text: str, template: str | None = None) -> SecretValues:
    secret = KubernetesSecret("vault", "token", entries=(SecretKey("token", "key", template),), fixed={"user": "$me"})
    return SecretValues([secret], {"token": Secret(text)})


def _root(home: Path, text: str) -> Root:
    return Root(home, ROOT.replace("EXPECTED", hashlib.sha256(text.encode()).hexdigest()))


@pytest.mark.parametrize("text", [HOSTILE, (CANARY + '${a}%{b}"\\\n' + "x" * 40) * 5000], ids=["hostile", "300 KB"])
def test_a_value_arrives_unchanged_and_stays_nowhere(text: str, tmp_path: Path, seen: Seen) -> None:
    root = _root(tmp_path, text)
    root.apply(secrets=_values(text))
    assert ("check", "done") in root.phases()
    assert len([argv for argv, _ in seen if any(a.startswith("-var-file=/dev/fd/") for a in argv)]) == 3  # review, plan, apply
    for argv, env in seen:
        assert CANARY not in "\0".join([*argv, *env.values()])
    files = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert len(files) > 5
    assert not [f for f in files if CANARY.encode() in f.read_bytes()]


def test_a_value_that_is_not_what_was_expected_stops_the_plan_without_showing_it(tmp_path: Path, seen: Seen) -> None:
    root = _root(tmp_path, "another")
    with pytest.raises(TierupError, match="did not arrive") as failed:
        root.terraform.plan(_values(HOSTILE))
    assert CANARY not in str(failed.value)


def test_the_pipe_holds_one_line_of_ascii_that_is_no_template() -> None:
    text = _values(HOSTILE, 'a: "{value}" ${kept}').pipe()
    name, _, literal = text.decode("ascii").removesuffix("\n").partition(" = ")
    assert name == "secret_data_json"
    assert "\n" not in literal and "$" not in literal and "%" not in literal
    assert json.loads(json.loads(literal)) == {"vault/token": {"user": "$me", "key": f'a: "{HOSTILE}" ${{kept}}'}}


def test_a_value_terraform_would_change_is_refused_by_name_alone() -> None:
    with pytest.raises(InputError, match=r"secret token .*normal form C") as refused:
        _values("e\u0301" + CANARY).pipe()
    assert CANARY not in str(refused.value)


def test_values_cannot_be_printed_or_written_down() -> None:
    values = _values(CANARY)
    assert CANARY not in repr(values) + str(values) + f"{values}"
    with pytest.raises(TypeError):
        pickle.dumps(values)


def test_a_secret_that_lacks_one_value_is_left_out_as_a_whole() -> None:
    secret = KubernetesSecret("a", "b", entries=(SecretKey("one", "1"), SecretKey("two", "2")))
    assert SecretValues([secret], {"one": Secret("x")}).supplied == frozenset()
    assert SecretValues([secret], {"one": Secret("x"), "two": Secret("y")}).supplied == {"a/b"}

"""The roots as they ship: formatted, pinned, and with the guards that keep namespaces, states and values safe."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from wizard.terraform import backend
from wizard.terraform.inputs import ROOTS, shipped

FOLDER = Path(backend.__file__).with_name("roots")


def test_they_are_formatted() -> None:
    terraform = shutil.which("terraform") or shutil.which("tofu")
    assert terraform
    done = subprocess.run([terraform, "fmt", "-check", "-diff", "-recursive", str(FOLDER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("root", ROOTS)
def test_versions_are_bounded_and_the_state_lies_in_the_cluster(root: str) -> None:
    text = shipped(root)["versions.tf"].decode()
    assert 'required_version = ">= 1.11.0"' in text
    assert ('">= 3.2.1, < 4.0.0"' if root == "secrets" else '">= 3.1.2, < 4.0.0"') in text
    assert f'secret_suffix = "{backend.suffix(root)}"' in text
    assert 'namespace     = "kube-system"' in text
    assert backend.lease_path(root).endswith(f"/lock-tfstate-default-tierup-{root}")


def test_no_lock_file_and_no_variables_of_a_machine_ship() -> None:
    assert {f.suffix for f in FOLDER.rglob("*") if f.is_file()} == {".tf"}

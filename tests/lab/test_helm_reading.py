"""The table of scalars, and what `documents.dump` writes, against the helm of the lab."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.lab.build import build
from tests.unit.helm_scalars import READ_BY_HELM, REFUSED_BY_HELM, STRINGS_TO_HELM
from wizard import documents

pytestmark = pytest.mark.lab

HOSTILE = [
    "", " ", "\n", "\n\n", " lead", "trail ", "a\nb", "a\nb\n", "a\n\n\n", "\na", " a\nb", "a\n  b\n c", "\ta\nb", "a \nb\t\n",
    "#a\n#b", "---\n...\n", "a: b\n- c", "x\r\ny", "\r", "\x00", "\x1b[2J", "\x7f", "\x85", "\u2028", "\ufeff", "\u202e", "\U0001f600",
    "é", "'", '"', "\\", "a: b", "a #b", "- a", "? a", "&a", "*a", "!a", "%a", "@a", "`a",
    "{a", "[a", "]a", "}a", ",a", "|", ">", "<<", "=", "~a", "${x}", "{{ x }}",
    "a" * 5000, "word " * 400,
]  # fmt: skip

TEMPLATE = "{{- range $i, $v := .Values.x }}\n#= {{ kindOf $v }} {{ toJson $v | b64enc }}\n{{- end }}\n"


@pytest.fixture(scope="module")
def helm() -> Path:
    return build().bin("helm")


def reading(helm: Path, home: Path, values: str) -> list[tuple[str, Any]]:
    """Kind and value of each item of the list `x`, as a chart sees them."""
    (home / "toy" / "templates").mkdir(parents=True, exist_ok=True)
    (home / "toy" / "Chart.yaml").write_text("apiVersion: v2\nname: toy\nversion: 0.1.0\n")
    (home / "toy" / "templates" / "x.yaml").write_text(TEMPLATE)
    (home / "values.yaml").write_bytes(values.encode())
    done = subprocess.run([str(helm), "template", "toy", "-f", "values.yaml"], cwd=home, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr)
    lines = [line[3:] for line in done.stdout.splitlines() if line.startswith("#= ")]
    return [(kind, json.loads(base64.b64decode(value))) for kind, _, value in (line.partition(" ") for line in lines)]


def test_the_table_is_what_helm_reads(helm: Path, tmp_path: Path) -> None:
    scalars = [*READ_BY_HELM, *STRINGS_TO_HELM]
    read = reading(helm, tmp_path, "x:\n" + "".join(f"  - {text}\n" for text in scalars))
    assert len(read) == len(scalars)
    for text, (kind, value) in zip(scalars, read, strict=True):
        expected = READ_BY_HELM.get(text, text)
        word = {bool: "bool", str: "string", type(None): "invalid"}.get(type(expected), "float64")
        number = word == "float64"  # helm writes large ones as if they were whole
        assert (text, kind, float(value) if number else value) == (text, word, float(expected or 0) if number else expected)


def test_what_the_table_calls_refused_is_refused(helm: Path, tmp_path: Path) -> None:
    for text in REFUSED_BY_HELM:
        with pytest.raises(ValueError, match="unsupported value"):
            reading(helm, tmp_path, f"x: [{text}]\n")


def test_helm_reads_what_was_meant(helm: Path, tmp_path: Path) -> None:
    meant = [*HOSTILE, *READ_BY_HELM, *STRINGS_TO_HELM, *REFUSED_BY_HELM]
    read = reading(helm, tmp_path, documents.dump({"x": meant}))
    assert read == [("string", text) for text in meant]


def test_helm_reads_keys_as_they_were_meant(helm: Path, tmp_path: Path) -> None:
    meant = {text: number for number, text in enumerate([*HOSTILE, *READ_BY_HELM, *STRINGS_TO_HELM]) if len(text) < 900}
    ((kind, value),) = reading(helm, tmp_path, documents.dump({"x": [meant]}))
    assert (kind, value) == ("map", meant)

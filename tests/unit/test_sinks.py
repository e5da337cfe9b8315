"""Rules of the source that keep promises: where a secret may come out, who starts programs, who reads the clock."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for room in ("wizard", "screens", "presets") for path in (ROOT / room).rglob("*.py"))

REVEALING = (
    "wizard/secrets/", "wizard/process/", "wizard/terraform/inputs.py", "wizard/gitops/credential.py", "wizard/gitops/leaks.py",
    "wizard/client/", "wizard/run/control.py",
)  # fmt: skip
STARTING = ("wizard/process/",)
TIMING = ("wizard/clock.py",)
_CLOCKS = {"now", "utcnow", "today"}


def reveals(tree: ast.AST) -> Iterator[int]:
    """Every way to the value: the call, the name without the call, the attribute behind it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("reveal", "_Secret__value"):
            yield node.lineno
        if isinstance(node, ast.Constant) and node.value in ("reveal", "_Secret__value"):
            yield node.lineno


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute) and node.args:
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in ("__import__", "import_module") and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value), node.lineno


def starts(tree: ast.AST) -> Iterator[int]:
    for name, line in imported(tree):
        if name.split(".")[0] in ("subprocess", "multiprocessing", "pty", "pexpect") or name.startswith("asyncio.subprocess"):
            yield line
    for node in ast.walk(tree):
        of_os = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
        if of_os and isinstance(node, ast.Attribute) and node.attr.startswith(("system", "popen", "fork", "exec", "spawn", "posix_spawn")):
            yield node.lineno


def clocks(tree: ast.AST) -> Iterator[int]:
    for name, line in imported(tree):
        if name.split(".")[0] == "time":
            yield line
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _CLOCKS:
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if name in ("datetime", "date"):
                yield node.lineno


RULES = [(reveals, REVEALING), (starts, STARTING), (clocks, TIMING)]


@pytest.mark.parametrize(("rule", "allowed"), RULES)
def test_only_the_allowed_modules_do_it(rule: Callable[[ast.AST], Iterator[int]], allowed: tuple[str, ...]) -> None:
    found = []
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(allowed):
            found += [f"{name}:{line}" for line in rule(ast.parse(path.read_text(), name))]
    assert found == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (reveals, "secret.reveal()"),
        (reveals, "f = secret.reveal"),
        (reveals, "getattr(secret, 'reveal')()"),
        (reveals, "secret._Secret__value"),
        (starts, "import subprocess"),
        (starts, "from subprocess import run"),
        (starts, "import os\nos.system('x')"),
        (starts, "import os\nos.execvp('x', [])"),
        (starts, "from asyncio.subprocess import create_subprocess_exec"),
        (starts, "import importlib\nimportlib.import_module('subprocess')"),
        (clocks, "import time"),
        (clocks, "from time import sleep"),
        (clocks, "from datetime import datetime\ndatetime.now()"),
        (clocks, "import datetime\ndatetime.datetime.utcnow()"),
        (clocks, "from datetime import date\ndate.today()"),
    ],
)
def test_the_rules_see_what_they_forbid(rule: Callable[[ast.AST], Iterator[int]], code: str) -> None:
    assert list(rule(ast.parse(code)))


def test_the_rules_look_at_everything() -> None:
    assert len(SOURCES) > 40
    assert any(list(reveals(ast.parse(path.read_text()))) for path in SOURCES)

"""The package as a user gets it: built, installed elsewhere, run where hostile modules lie about."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment with the wheel in it; its dependencies are lent by this interpreter, the project itself is not."""
    home = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    site = next((home / "lib").glob("python*/site-packages"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(home / "bin" / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", str(wheel)], check=True, capture_output=True)
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return home / "bin" / "tierup"


def hostile(tmp_path: Path) -> Path:
    for name in ("yaml.py", "click.py", "json.py", "wizard/__init__.py", "wizard/cli/__init__.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("raise SystemExit('the working directory was imported')\n")
    return tmp_path


def run(program: Path, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd), "TIERUP_HOME": str(cwd / "home"), "LANG": "C.UTF-8"}
    return subprocess.run([str(program), *args], cwd=cwd, env=env, capture_output=True, text=True, timeout=60)


def test_the_wheel_holds_the_engine_the_screens_and_the_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for wanted in ("wizard/cli/__init__.py", "screens/__init__.py", "presets/homelab.yaml", "presets/charts/core/traefik.yaml"):
        assert wanted in names
    assert any(n.startswith("wizard/terraform/roots/secrets/") and n.endswith(".tf") for n in names)
    assert not any(n.startswith("tests/") for n in names)


def test_it_runs_from_a_hostile_working_directory(installed: Path, tmp_path: Path) -> None:
    folder = hostile(tmp_path)
    shown = run(installed, "--help", cwd=folder)
    assert (shown.returncode, "apply" in shown.stdout) == (0, True), shown.stderr
    ordered = run(installed, "order", "minimal", cwd=folder)
    assert ordered.returncode == 0, ordered.stderr
    assert "cert-manager" in ordered.stdout


def test_the_engine_process_starts_from_a_hostile_working_directory(installed: Path, tmp_path: Path) -> None:
    folder = hostile(tmp_path)
    ended = run(installed, "plan", "minimal", "--kubeconfig", str(folder / "none"), cwd=folder)
    assert ended.returncode in (1, 3, 64), ended.stderr
    assert "working directory" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert "kubeconfig" in ended.stderr


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from wizard.cli import main\n"
        "try:\n main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'yaml', 'pydantic', 'kubernetes', 'textual', 'rich', 'ruamel', 'pyrage', 'asyncio', 'ssl'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

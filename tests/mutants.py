"""What tierup's promises hang on, taken out one at a time: for each the tests that must notice.

`python -m tests.mutants` prints the table. A breakage is a piece of text that stands exactly once in its file, and what takes its
place; a text that is not found any more is an error, so that the list keeps up with the code.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One breakage. `tests`: files below tests/unit of which at least one test must fail."""

    promise: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant("the probe of a step", "run/steps.py", "if found.verdict is Verdict.DONE:", "if False:", ("test_steps.py",)),
    Mutant("the probe of a step: somebody else's", "run/steps.py", "if found.verdict is Verdict.FOREIGN:", "if False:", ("test_steps.py",)),
    Mutant("the look after a step", "run/steps.py", "if seen.verdict is not Verdict.DONE:", "if False:", ("test_steps.py",)),
    Mutant(
        "an fsync: of a file",
        "files.py",
        '        _reach("written")\n        os.fsync(fd)\n',
        '        _reach("written")\n',
        ("test_files.py",),
    ),
    Mutant(
        "an fsync: of a name",
        "files.py",
        '        _reach("renamed")\n        os.fsync(directory)\n',
        '        _reach("renamed")\n',
        ("test_files.py",),
    ),
    Mutant("an fsync: of the journal", "run/journal.py", "                os.fsync(self._fd)\n", "", ("test_journal.py",)),
    Mutant(
        "an fsync: of the journal's name", "run/journal.py", "            os.fsync(directory)\n", "            pass\n", ("test_journal.py",)
    ),
    Mutant(
        "the observedGeneration check: of the object",
        "flux/conditions.py",
        "if not seen or not _current(ready, generation):",
        "if not _current(ready, generation):",
        ("test_conditions.py",),
    ),
    Mutant(
        "the observedGeneration check: of the condition",
        "flux/conditions.py",
        "if not seen or not _current(ready, generation):",
        "if not seen:",
        ("test_conditions.py",),
    ),
    Mutant(
        "the observedGeneration check: of a workload",
        "flux/kstatus.py",
        'if seen is not None and number(seen) != number(meta.get("generation")):',
        "if False:",
        ("test_conditions.py", "test_board.py"),
    ),
    Mutant(
        "the leak scan: before a commit",
        "gitops/repository.py",
        "        refuse_leaks(tree, secrets or {})\n",
        "",
        ("test_gitops_repository.py",),
    ),
    Mutant(
        "the leak scan: of shapes",
        "gitops/leaks.py",
        "(*scan(blobs, secrets), *shapes(blobs))",
        "(*scan(blobs, secrets),)",
        ("test_gitops_leaks.py",),
    ),
    Mutant(
        "the leak scan: of what is packed",
        "gitops/leaks.py",
        "for layer in (data, *inside(data)):",
        "for layer in (data,):",
        ("test_gitops_leaks.py",),
    ),
    Mutant("the lock: on this machine", "run/lock.py", "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass", ("test_engine.py",)),
    Mutant("the lock: taken by the engine", "run/engine.py", "        self._lock.take(self._places.run.name)\n", "", ("test_engine.py",)),
    Mutant("the digest check", "run/engine.py", "if digest != proposal.digest:", "if False:", ("test_engine.py",)),
    Mutant("the digest check: of what changed meanwhile", "run/engine.py", "        journey.confirm(proposal)\n", "", ("test_engine.py",)),
    Mutant("the digest check: on resume", "run/engine.py", "            if beyond:\n", "            if False:\n", ("test_engine.py",)),
    Mutant(
        "the digest check: a resume does not ask again",
        "run/engine.py",
        "asks = not approved or bool(proposal.missing)",
        "asks = True",
        ("test_engine.py",),
    ),
    Mutant(
        "the vault write: by its step",
        "journeys/steps.py",
        "        store(self.look.vault, self.look.findings)\n",
        "",
        ("test_vault_step.py",),
    ),
    Mutant(
        "the vault write: of all that is new",
        "secrets/surveying.py",
        "        vault.put(new, unless_held=generated)\n",
        "        pass\n",
        ("test_vault_step.py",),
    ),
    Mutant("the deadline", "journeys/tiers.py", "if now - begun > self._deadlines[chart.chart]:", "if False:", ("test_deadline.py",)),
    Mutant(
        "the deadline: waiting does not count",
        "journeys/tiers.py",
        "            elif chart.phase is Phase.WAITING and chart.waits_for:\n                self._busy.pop(chart.chart, None)\n",
        "",
        ("test_deadline.py",),
    ),
)


@dataclass(frozen=True, slots=True)
class Result:
    mutant: Mutant
    by: tuple[str, ...]
    """The tests that failed."""
    seconds: float

    @property
    def caught(self) -> bool:
        return bool(self.by)


def broken(text: str, mutant: Mutant) -> str:
    """The file's text with the breakage in it."""
    assert text.count(mutant.text) == 1, f"{mutant.file}: {mutant.text!r} stands {text.count(mutant.text)} times in it"
    return text.replace(mutant.text, mutant.instead)


def failing(tests: tuple[str, ...], mutant: Mutant | None = None) -> tuple[str, ...]:
    """Names of the tests that fail first in a copy of the project, with the breakage in it if there is one."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder)
        skip = shutil.ignore_patterns("__pycache__", "tofu", "control", "providers")
        for name in ("wizard", "presets", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=skip)
        shutil.copy(ROOT / "pyproject.toml", copy)
        if mutant is not None:
            file = copy / "wizard" / mutant.file
            file.write_text(broken(file.read_text(), mutant))
        # The first failure is enough; the copy is what is imported, not what is installed.
        command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "--timeout=60", "--tb=no", "-rfE"]
        command += [f"tests/unit/{name}" for name in tests]
        env = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(copy)}
        done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return tuple(re.findall(r"^FAILED \S+?::(\w+)", done.stdout, re.MULTILINE))


def check(mutant: Mutant) -> Result:
    """Whether the mutant's tests notice it."""
    begun = time.monotonic()
    by = failing(mutant.tests, mutant)
    return Result(mutant, by, time.monotonic() - begun)


def row(result: Result) -> str:
    """One line of the table."""
    word = "caught" if result.caught else "MISSED"
    return f"{word:8}{result.seconds:5.1f} s  {result.mutant.promise:52}{', '.join(result.by)}"


def main() -> int:
    missed = 0
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(check, MUTANTS):
            print(row(result), flush=True)
            missed += not result.caught
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

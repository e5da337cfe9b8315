"""What a child may know of the environment, and where its program is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from wizard.process.failure import ProcessError

_KEPT = frozenset(
    "PATH HOME USER LOGNAME LANG LANGUAGE TZ TMPDIR SSL_CERT_FILE SSL_CERT_DIR "  # noqa: SIM905
    "HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy".split()
)
# Logs of Terraform and Git repeat secrets; TF_CLI_ARGS and reattached providers change what was approved; TF_VAR_ is visible
# to every child of this user.
_NEVER = ("TF_LOG", "TF_CLI_ARGS", "TF_VAR_", "TF_REATTACH_PROVIDERS", "GIT_TRACE", "GIT_CURL_VERBOSE")


def environment(extra: Mapping[str, str] | None = None, *, keep: Iterable[str] = ()) -> dict[str, str]:
    """The environment for a child: what finds programs, home, language, certificates and proxies, `keep` by name, and `extra`.

    Variables that make Terraform or Git write secrets down or change what was approved are never passed on, not even by `keep`
    or `extra`.
    """
    wanted = _KEPT.union(keep)
    kept = {name: value for name, value in os.environ.items() if name in wanted or name.startswith("LC_")}
    kept.setdefault("PATH", os.defpath)
    kept.update(extra or {})
    return {name: value for name, value in kept.items() if not name.startswith(_NEVER)}


def program(name: str, env: Mapping[str, str], cwd: Path | str | None, purpose: str) -> str:
    relative = "/" in name and not name.startswith("/")
    found = shutil.which(str(Path(cwd or ".") / name) if relative else name, path=env.get("PATH", os.defpath))
    if found is None:
        what = f"the program `{name}` was not found" + (f"; it is needed to {purpose}" if purpose else "")
        raise ProcessError(what, remedy=f"install it or put its directory on PATH (now {env.get('PATH', os.defpath)})")
    return str(Path(found).absolute())

"""From a kubeconfig to an answer: every fault of the file and of TLS has words of its own."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import subprocess
import sys
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.unit.fakeapi import FakeApi
from wizard.cluster import Api, ApiError, connect, kubeconfig
from wizard.errors import InputError, NeedsOperator, TierupError

PKI = Path(__file__).parent / "pki"
Object = dict[str, Any]


def _config(server: str = "http://127.0.0.1:1", user: Object | None = None, **cluster: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "home",
        "contexts": [{"name": "home", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server} | cluster}],
        "users": [{"name": "u", "user": user or {}}],
    }


def _file(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def _change(**parts: Any) -> Object:
    return _config() | parts


def _tls_config(authority: str) -> Object:
    return _config("https://127.0.0.1:1", None, **{"certificate-authority-data": authority})


NO_CLUSTER = _change(clusters=[])
FAULTS: list[tuple[str, object, str]] = [
    ("not yaml", "a: [b: {", "is not YAML"),
    ("binary", "\x00\x01\x02", "is not YAML"),
    ("empty", "", "is empty"),
    ("a list", "[1, 2]", "not a mapping"),
    ("deep", "[" * 100_000, "nested too deeply"),
    ("no contexts", _change(contexts=[]), "holds no contexts"),
    ("contexts a word", _change(contexts="home"), "`contexts` of the kubeconfig is not a list"),
    ("no name", _change(users=[{"user": {}}]), "entry 1 of `users` in the kubeconfig has no name"),
    ("user a word", _change(users=[{"name": "u", "user": "x"}]), "`user` of u in the kubeconfig is not a mapping"),
    ("dangling cluster", NO_CLUSTER, "context home points to cluster c"),
    ("dangling user", _change(users=[]), "context home points to user u"),
    ("dangling context", _change(**{"current-context": "work"}), "no context work"),
    ("no server", _change(clusters=[{"name": "c", "cluster": {}}]), "no usable server address"),
    ("odd server", _config("ftp://x"), "no usable server address"),
    ("missing ca file", _config(user=None, **{"certificate-authority": "gone.crt"}), "the file of `certificate-authority` does not exist"),
    ("missing key file", _config(user={"client-certificate": "a", "client-key": "b"}), "the file of `client-certificate` does not exist"),
    ("ca not base64", _tls_config("%%%"), "certificate-authority"),
    (
        "ca not a certificate",
        _tls_config("eA=="),
        "not a certificate",
    ),
]


@pytest.mark.parametrize(("content", "words"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_each_fault_of_a_kubeconfig_is_named(tmp_path: Path, content: object, words: str) -> None:
    path = _file(tmp_path / "config", content)
    with pytest.raises(InputError) as caught:
        connect(path, environ={})
    assert words in str(caught.value)
    assert caught.value.exit_code == 64


def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path / 'none'} does not exist"):
        connect(tmp_path / "none", environ={})


def test_the_broken_one_of_several_files_is_named(tmp_path: Path) -> None:
    good, bad = _file(tmp_path / "good", _config()), _file(tmp_path / "bad", "{")
    with pytest.raises(InputError, match=str(bad)):
        kubeconfig.load(environ={"KUBECONFIG": f"{good}:{tmp_path / 'gone'}:{bad}"})


def test_files_are_merged_and_the_first_wins(tmp_path: Path) -> None:
    one = _file(tmp_path / "one", _config("http://first:1"))
    other = _config("http://second:1") | {
        "contexts": [{"name": "work", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "work",
    }
    found = kubeconfig.load(environ={"KUBECONFIG": f"{one}:{_file(tmp_path / 'two', other)}"})
    listed = kubeconfig.contexts(found)
    assert [(c.name, c.server, c.current) for c in listed] == [("home", "http://first:1", True), ("work", "http://first:1", False)]


def test_a_context_that_does_not_exist_has_a_near_miss(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean home"):
        connect(_file(tmp_path / "c", _config()), "hoem", environ={})


def test_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes((PKI / "ca.pem").read_bytes())
    path = _file(tmp_path / "c", _config("https://127.0.0.1:1", None, **{"certificate-authority": "ca.crt"}))
    assert len(connect(path, environ={}).ca_fingerprint) == 64


def _serve(certificate: str) -> FakeApi:
    server = FakeApi()
    server.secure(PKI / certificate, PKI / "key.pem")
    server.answers["*"] = lambda r: r.json({"authorization": r.headers.get("Authorization", "")})
    return server


def _ask(tmp_path: Path, url: str, ca: str = "ca.pem", user: Object | None = None, **cluster: Any) -> tuple[Api, Object]:
    data = {"certificate-authority-data": b64encode((PKI / ca).read_bytes()).decode()} if ca else {}
    api = connect(_file(tmp_path / "c", _config(url, user, **(data | cluster))), environ={})
    return api, api.get("/version")


def test_a_trusted_server_answers_and_no_key_file_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    server = _serve("good.pem")
    try:
        pair = {"client-certificate-data": "good.pem", "client-key-data": "key.pem"}
        user = {name: b64encode((PKI / file).read_bytes()).decode() for name, file in pair.items()}
        api, _ = _ask(tmp_path, server.url, user=user)
        assert list(temporary.iterdir()) == []
        assert api.credential_expires.endswith("GMT")
        der = ssl.PEM_cert_to_DER_cert((PKI / "ca.pem").read_text())
        assert api.ca_fingerprint == hashlib.sha256(der).hexdigest()
    finally:
        server.stop()


TLS = [
    ("unknown CA", "good.pem", "otherca.pem", "tls-ca", "a CA that the kubeconfig does not know"),
    ("other name", "name.pem", "ca.pem", "tls-name", "is for other names"),
    ("expired", "expired.pem", "ca.pem", "tls-expired", "has expired"),
    ("not yet valid", "early.pem", "ca.pem", "tls-early", "not valid yet"),
]


@pytest.mark.parametrize(("certificate", "ca", "reason", "words"), [row[1:] for row in TLS], ids=[row[0] for row in TLS])
def test_each_fault_of_tls_has_words(tmp_path: Path, certificate: str, ca: str, reason: str, words: str) -> None:
    server = _serve(certificate)
    try:
        with pytest.raises(ApiError, match=words) as caught:
            _ask(tmp_path, server.url, ca)
        assert caught.value.reason == reason
    finally:
        server.stop()


def test_tls_to_a_plain_port_is_called_so(tmp_path: Path) -> None:
    server = FakeApi()
    try:
        with pytest.raises(ApiError) as caught:
            _ask(tmp_path, f"https://127.0.0.1:{server.port}")
        assert caught.value.reason == "plain-http"
    finally:
        server.stop()


def test_a_server_that_may_be_anybody_is_taken_only_when_the_file_says_so(tmp_path: Path) -> None:
    server = _serve("name.pem")
    try:
        _ask(tmp_path, server.url, "", None, **{"insecure-skip-tls-verify": True})
    finally:
        server.stop()


def test_a_token_is_sent(tmp_path: Path) -> None:
    server = _serve("good.pem")
    try:
        assert _ask(tmp_path, server.url, user={"token": "canary"})[1] == {"authorization": "Bearer canary"}
    finally:
        server.stop()


def _plugin(tmp_path: Path, answer: object, code: int = 0) -> Object:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    script = _file(tmp_path / "plugin.py", f"import sys\nprint({text!r})\nprint('log in first', file=sys.stderr)\nsys.exit({code})\n")
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(script)]}}


def test_a_credential_program_gives_its_token(tmp_path: Path) -> None:
    server = _serve("good.pem")
    try:
        user = _plugin(tmp_path, {"kind": "ExecCredential", "status": {"token": "from-plugin"}})
        assert _ask(tmp_path, server.url, user=user)[1] == {"authorization": "Bearer from-plugin"}
    finally:
        server.stop()


PLUGINS: list[tuple[str, object, int, str]] = [
    ("fails", "{}", 3, "it ended with 3: log in first"),
    ("no json", "hello", 0, "not JSON"),
    ("no status", {"kind": "x"}, 0, "holds no status"),
    ("nothing", {"status": {}}, 0, "neither a token nor a certificate"),
]


@pytest.mark.parametrize(("answer", "code", "words"), [row[1:] for row in PLUGINS], ids=[row[0] for row in PLUGINS])
def test_a_credential_program_that_gives_none_is_named(tmp_path: Path, answer: object, code: int, words: str) -> None:
    with pytest.raises(NeedsOperator, match=words):
        connect(_file(tmp_path / "c", _config(user=_plugin(tmp_path, answer, code))), environ={})


def test_a_missing_credential_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(TierupError, match="no-such-plugin"):
        connect(_file(tmp_path / "c", _config(user={"exec": {"command": "no-such-plugin"}})), environ={})


def test_the_room_is_imported_without_the_package() -> None:
    heavy = ("kubernetes", "urllib3", "yaml")
    code = f"import sys, wizard.cluster, wizard.flux; sys.exit(any(m.partition('.')[0] in {heavy} for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0


def test_connections_are_kept_alive_and_send_at_once(tmp_path: Path) -> None:
    options = connect(_file(tmp_path / "c", _config()), environ={})._pool.connection_pool_kw["socket_options"]
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in options

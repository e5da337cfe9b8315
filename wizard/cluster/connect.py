"""From a kubeconfig to an `Api`: package kubernetes for kubeconfig, authentication, TLS and proxies; nothing else of it is used.

Import cost: `kubernetes` is 255 to 305 ms and 44 MiB, so it is imported inside `connect` alone; its typed APIs (540 ms more) never.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wizard.cluster import kubeconfig as files
from wizard.cluster.api import Api
from wizard.cluster.execplugin import ExecCredentials
from wizard.errors import InputError

POOL = 40
"""Connections kept open per server: some 20 watches and the calls beside them (the package's own default is 10)."""


def connect(kubeconfig: Path | None = None, context: str | None = None, *, environ: Mapping[str, str] = os.environ) -> Api:
    """An `Api` for a context (None: the current one). Talks to nobody yet. Raises InputError for every fault of the kubeconfig, with the
    file and the name that is wrong."""
    merged = files.load(kubeconfig, environ=environ)
    name, cluster, user = files.choose(merged, context)
    plugin = ExecCredentials(user["exec"], cluster) if isinstance(user.get("exec"), dict) and not user.get("token") else None
    if plugin is not None:
        user = {k: v for k, v in user.items() if k != "exec"} | plugin.user()
    one = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
    }
    client, expires = _client(one, name)
    return Api(
        pool=client.rest_client.pool_manager,
        server=str(client.configuration.host),
        context=name,
        authorization=plugin.authorization if plugin is not None and plugin.token else _bearer(client.configuration),
        renew=plugin.renew if plugin is not None and plugin.token else None,
        ca_fingerprint=fingerprint(cluster),
        credential_expires=expires,
    )


def _client(config: dict[str, Any], name: str) -> tuple[Any, str]:
    """The package's client with one shared TLS context, and when the client certificate expires. The package writes the client key to
    a temporary file; it is loaded into the context and removed here, so a kill later leaves no key behind."""
    from kubernetes import client as package
    from kubernetes.config import load_kube_config_from_dict
    from kubernetes.config.config_exception import ConfigException

    settings = type.__call__(package.Configuration)
    settings.connection_pool_maxsize = POOL
    settings.keep_alive = True
    with tempfile.TemporaryDirectory(prefix="tierup-") as private:
        try:
            load_kube_config_from_dict(  # type: ignore[no-untyped-call]
                config, context=name, client_configuration=settings, temp_file_path=private
            )
        except (ConfigException, ValueError, TypeError, KeyError, AttributeError, OSError) as error:
            raise InputError(
                f"context {name} of the kubeconfig cannot be used: {_safe(error)}", remedy="fetch the kubeconfig again"
            ) from None
        expires = _expires(settings.cert_file)
        context = _tls(settings, name) if str(settings.host).startswith("https") else None
        client = package.ApiClient(configuration=settings)
        options = client.rest_client.pool_manager.connection_pool_kw
        for key in ("ca_certs", "ca_cert_data", "cert_file", "key_file"):
            options.pop(key, None)
        if context is not None:
            options["ssl_context"] = context
        options["retries"] = False  # a Retry-After slept inside urllib3 makes stop() wait for it: 9 s measured for "3"
    return client, expires


def _tls(settings: Any, name: str) -> ssl.SSLContext:
    from urllib3.util.ssl_ import create_urllib3_context

    context: ssl.SSLContext = create_urllib3_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # CAs made by kubeadm and Talos may lack an authority key identifier
    if not settings.verify_ssl:
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the file says so; once per request says no more
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if settings.ssl_ca_cert:
            context.load_verify_locations(settings.ssl_ca_cert)
        else:
            context.load_default_certs()
    except (OSError, ValueError) as error:
        raise InputError(f"context {name}: certificate-authority is not a certificate", remedy="fetch the kubeconfig again") from error
    if settings.cert_file:
        try:
            context.load_cert_chain(settings.cert_file, settings.key_file or None)
        except (OSError, ValueError) as error:
            raise InputError(
                f"context {name}: client certificate and key do not fit together", remedy="fetch the kubeconfig again"
            ) from error
    return context


def fingerprint(cluster: Mapping[str, Any]) -> str:
    """sha256 (64 hex digits) of the CA certificates the kubeconfig trusts, in DER and in their order; empty when it names none.
    For one certificate it is what `openssl x509 -fingerprint -sha256` shows."""
    try:
        if cluster.get("certificate-authority-data"):
            text = b64decode(cluster["certificate-authority-data"]).decode("ascii", "replace")
        elif cluster.get("certificate-authority"):
            text = Path(cluster["certificate-authority"]).read_text("ascii", "replace")
        else:
            return ""
        end = "-----END CERTIFICATE-----"
        blocks = [
            "-----BEGIN CERTIFICATE-----" + part.split("-----BEGIN CERTIFICATE-----", 1)[1] + end
            for part in text.split(end)
            if "BEGIN" in part
        ]
        return hashlib.sha256(b"".join(ssl.PEM_cert_to_DER_cert(block.strip()) for block in blocks)).hexdigest() if blocks else ""
    except (OSError, ValueError, TypeError, IndexError):
        return ""


def _bearer(settings: Any) -> Any:
    """How a request is authorised by the package: it reads the token again each time, so a refreshed one is used."""
    return lambda: str(settings.get_api_key_with_prefix("BearerToken") or "")


def _expires(path: str | None) -> str:
    """When a client certificate expires, as openssl writes it, empty when that cannot be said. Only for words, so a missing decoder is
    no fault."""
    decode = getattr(getattr(ssl, "_ssl", None), "_test_decode_cert", None)
    if not path or decode is None:
        return ""
    try:
        return str(decode(path).get("notAfter", ""))
    except (ssl.SSLError, OSError, ValueError):
        return ""


def _safe(error: BaseException) -> str:
    """Why, without what: the package's messages can hold content of the file."""
    return "a key or certificate is not base64" if isinstance(error, ValueError) else type(error).__name__

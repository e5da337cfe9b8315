"""The words for a request that had no whole answer: names, networks, proxies and certificates."""

from __future__ import annotations

import ssl

from wizard.cluster.apierror import ApiError
from wizard.text import clean

_UNKNOWN_CA = frozenset({18, 19, 20, 21})
_NOT_YET, _EXPIRED, _WRONG_NAME = 9, 10, frozenset({62, 64})
"""OpenSSL verify codes (x509_vfy.h)."""


def from_exception(error: BaseException, *, server: str, doing: str) -> ApiError:
    """The error for a request that had no (whole) answer; `error` is what urllib3 or ssl raised."""
    import urllib3.exceptions as u

    chain = _chain(error)
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return _certificate(link, server)
    text = " ".join(str(link) for link in chain)
    if "WRONG_VERSION_NUMBER" in text or "wrong version number" in text:
        return ApiError(
            f"{server} does not speak TLS on this port", reason="plain-http", remedy="check scheme and port of `server:` in the kubeconfig"
        )
    if any(isinstance(link, ssl.SSLError | u.SSLError) for link in chain):
        return ApiError(f"TLS to {server} failed: {clean(text, limit=300)}", reason="tls", remedy="check certificates in the kubeconfig")
    if any(isinstance(link, u.ProxyError) for link in chain):
        return ApiError(
            f"the proxy on the way to {server} fails: {clean(text, limit=300)}",
            reason="proxy",
            remedy="check HTTPS_PROXY, NO_PROXY and proxy-url",
        )
    if any(isinstance(link, u.NameResolutionError) for link in chain) or "Name or service not known" in text:
        return ApiError(
            f"the name of {server} cannot be resolved", reason="dns", remedy="check `server:` in the kubeconfig and this machine's DNS"
        )
    if any(isinstance(link, ConnectionRefusedError) for link in chain) or "refused" in text:
        return ApiError(
            f"{server} refuses the connection",
            reason="refused",
            remedy="check that the API server runs and that address and port are right",
        )
    if any(isinstance(link, u.TimeoutError | TimeoutError) and not isinstance(link, u.NewConnectionError) for link in chain):
        return ApiError(
            f"{server} does not answer in time: {doing}",
            reason="timeout",
            remedy="check that the API server runs and is reachable from here",
        )
    if any(isinstance(link, u.NewConnectionError | OSError) for link in chain):
        return ApiError(f"{server} cannot be reached: {clean(text, limit=300)}", reason="refused", remedy="check network, VPN and firewall")
    return ApiError(f"the connection to {server} broke: {clean(text, limit=300)}", reason="reset", remedy="it is tried again")


def _certificate(error: ssl.SSLCertVerificationError, server: str) -> ApiError:
    code = error.verify_code
    said = clean(error.verify_message, limit=200)
    if code in _UNKNOWN_CA:
        return ApiError(
            f"{server} shows a certificate of a CA that the kubeconfig does not know ({said})",
            reason="tls-ca",
            remedy="a rebuilt cluster has a new CA: fetch its kubeconfig again; otherwise somebody else answers at this address",
        )
    if code in _WRONG_NAME:
        return ApiError(
            f"the certificate of {server} is for other names ({said})",
            reason="tls-name",
            remedy="use a name or address the certificate holds, or set `tls-server-name` in the kubeconfig",
        )
    if code == _EXPIRED:
        return ApiError(
            f"the certificate of {server} has expired", reason="tls-expired", remedy="renew it on the cluster; check this machine's clock"
        )
    if code == _NOT_YET:
        return ApiError(
            f"the certificate of {server} is not valid yet", reason="tls-early", remedy="check the clocks of this machine and the cluster"
        )
    return ApiError(
        f"the certificate of {server} is refused ({said})", reason="tls", remedy="check certificate-authority in the kubeconfig"
    )


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error with everything it wraps: causes, contexts and arguments, at most 12 deep."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo and len(found) < 12:
        link = todo.pop(0)
        if link is None or link in found:
            continue
        found.append(link)
        todo += [
            link.__cause__,
            link.__context__,
            getattr(link, "reason", None) if isinstance(getattr(link, "reason", None), BaseException) else None,
        ]
        todo += [a for a in link.args if isinstance(a, BaseException)]
    return found

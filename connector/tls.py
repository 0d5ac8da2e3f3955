"""Whom this server trusts: one store, for companies, VTEX and the database alike."""

import ssl
from functools import cache
from pathlib import Path

from urllib3.util.ssl_ import create_urllib3_context

# Where systems keep all their authorities in one file; a library of PostgreSQL's takes no folder.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


@cache
def context(ca_file: str, socket_class: type[ssl.SSLSocket]) -> ssl.SSLContext:
    """Trust what is in the file, else what the system trusts.

    Reading that takes as long as a call, so it is done once.
    """
    made = create_urllib3_context()
    if ca_file:
        made.load_verify_locations(ca_file)
    else:
        made.load_default_certs()
    made.sslsocket_class = socket_class
    return made


def bundle(ca_file: str) -> str:
    """Name the one file with all that is trusted; `system` where only OpenSSL knows it."""
    own = ssl.get_default_verify_paths().cafile
    found = [path for path in (own, *_BUNDLES) if path and Path(path).exists()]
    return ca_file or next(iter(found), "system")


def distrust(error: BaseException | None) -> str:
    """Say why a handshake failed when it was the certificate, else nothing."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return "" if error is None else error.verify_message

"""Whom this server trusts: one store, for companies, VTEX and the database alike."""

import ssl
from functools import cache
from pathlib import Path

from urllib3.util.ssl_ import create_urllib3_context

# Where systems keep all their authorities in one file: PostgreSQL's library takes no folder.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


@cache
def context(ca_file: str, socket_class: type[ssl.SSLSocket]) -> ssl.SSLContext:
    """Trust the authorities in the file, without a file those of the system.

    Reading them takes as long as a call, so they are read once.
    """
    trust = create_urllib3_context()
    if ca_file:
        trust.load_verify_locations(ca_file)
    else:
        trust.load_default_certs()
    trust.sslsocket_class = socket_class
    return trust


def bundle(ca_file: str) -> str:
    """Name the file with all trusted authorities; `system` where only OpenSSL knows them."""
    own = ssl.get_default_verify_paths().cafile
    paths = [path for path in (own, *_BUNDLES) if path and Path(path).exists()]
    return ca_file or next(iter(paths), "system")


def distrust(error: BaseException | None) -> str:
    """Say what was wrong with a certificate; nothing for a failure of another kind."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return "" if error is None else error.verify_message

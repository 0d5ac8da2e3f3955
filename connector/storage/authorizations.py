"""The configuration flows that VTEX began, and their codes. Tokens and codes are kept as hashes."""

from connector.domain.authorization import (
    CODE_SECONDS,
    TOKEN_SECONDS,
    AuthorizationDone,
    AuthorizationElsewhere,
    AuthorizationEnded,
    Flow,
)
from connector.domain.page_errors import TooManyRequests
from connector.storage.columns import Row
from connector.storage.database import Connection, Database
from connector.storage.merchant_writer import new_token, token_owner
from connector.storage.stored_merchant import Credentials, digest
from connector.storage.vault import Vault

# The most live flows: of a store by one peer, of one peer, and of all. VTEX calls for all merchants
# from few addresses. A merchant that tries again needs some flows an hour.
MOST_OF_STORE, MOST_OF_PEER, MOST_FLOWS = 200, 2_000, 20_000
# The most live codes of a flow. Each load of the flow's last page makes a code.
MOST_CODES = 5
# Expired rows that one transaction deletes.
MOST_PURGED = 200
# Seconds after which a caller may try again that has too many flows.
RETRY_SECONDS = 300.0

# A flow stays until its last code has ended, too.
_PURGE_FLOWS = f"""
    DELETE FROM authorizations WHERE id IN (
        SELECT id FROM authorizations WHERE expires_at <= NOW - {CODE_SECONDS}
        ORDER BY expires_at LIMIT {MOST_PURGED})"""  # noqa: S608 - the numbers above
_PURGE_SEALED = """
    UPDATE merchant_tokens SET sealed = NULL, sealed_until = NULL WHERE sealed_until <= NOW"""
_PURGE_IS_DUE = f"""
    SELECT 1 FROM authorizations WHERE expires_at <= NOW - {CODE_SECONDS}
    UNION ALL SELECT 1 FROM merchant_tokens WHERE sealed_until <= NOW
    LIMIT 1"""  # noqa: S608 - the number above
_COUNT = """
    SELECT
        (SELECT count(*) FROM authorizations) AS flows,
        (SELECT count(*) FROM authorizations WHERE peer = :peer) AS of_peer,
        (SELECT count(*) FROM authorizations WHERE peer = :peer AND store = :store) AS of_store"""
_LARGEST_PEER = """
    SELECT peer, count(*) AS flows FROM authorizations GROUP BY peer ORDER BY flows DESC LIMIT 1"""
_EVICT = """
    DELETE FROM authorizations WHERE id = (
        SELECT id FROM authorizations WHERE peer = :peer AND merchant_id IS NULL
        ORDER BY created_at LIMIT 1)"""
_INSERT = """
    INSERT INTO authorizations (token, return_url, store, peer, created_at, expires_at)
    VALUES (:token, :return_url, :store, :peer, NOW, NOW + :seconds)"""
_FIND = """
    SELECT
        authorizations.id, token, authorizations.store, return_url, expires_at, token_id, browser,
        merchants.name AS merchant, merchants.provider
    FROM authorizations LEFT JOIN merchants ON merchants.id = merchant_id
    WHERE token = :token AND expires_at > NOW"""
# Locks the flow against other transactions, so this statement is the first of a transaction.
_LOCK = "UPDATE authorizations SET peer = peer WHERE token = :token"
_CONNECT = """
    UPDATE authorizations
    SET merchant_id = :merchant_id, token_id = :token_id, browser = :browser
    WHERE id = :id"""
_PAIR = """
    SELECT used_at IS NOT NULL AS is_used, sealed IS NOT NULL AND sealed_until > NOW AS is_sealed
    FROM merchant_tokens WHERE id = :token_id"""
_DROP_CODES = """
    DELETE FROM authorization_codes WHERE authorization_id = :id AND digest NOT IN (
        SELECT digest FROM authorization_codes WHERE authorization_id = :id
        ORDER BY expires_at DESC LIMIT :most)"""
_INSERT_CODE = """
    INSERT INTO authorization_codes (digest, authorization_id, expires_at)
    VALUES (:digest, :id, NOW + :seconds)"""
_CREDENTIALS = """
    SELECT name, provider, app_key, sealed, merchant_tokens.merchant_id, token_id
    FROM authorization_codes
        JOIN authorizations ON authorizations.id = authorization_id
        JOIN merchant_tokens ON merchant_tokens.id = token_id
        JOIN merchants ON merchants.id = merchant_tokens.merchant_id
    WHERE authorization_codes.digest = :digest AND authorization_codes.expires_at > NOW
        AND sealed IS NOT NULL AND sealed_until > NOW AND disabled = false"""
_FETCH = """
    UPDATE merchant_tokens SET fetched_at = NOW WHERE id = :token_id AND fetched_at IS NULL"""


class Authorizations:
    """The flows. `credentials` may be asked again until the pair is used."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def begin(self, return_url: str, store: str, peer: str) -> str:
        """Store a flow, and return its token. Raises TooManyRequests.

        `peer` is the network of the caller. A peer with too many flows is refused. If there are too
        many flows of all peers, the peer with the most flows loses its oldest flow.
        """
        token = new_token()
        sealed = self._vault.seal(return_url, _owner(digest(token)))
        with self._database.write() as connection:
            purge(connection)
            _make_room(connection, store, peer)
            connection.run(
                _INSERT,
                token=digest(token),
                return_url=sealed,
                store=store,
                peer=peer,
                seconds=TOKEN_SECONDS,
            )
        return token

    def find(self, token: str) -> Flow:
        """Find a live flow. Raises AuthorizationEnded."""
        with self._database.read() as connection:
            return self._flow(connection.first_row(_FIND, token=digest(token)))

    def lock(self, connection: Connection, token: str) -> Flow:
        """Find a live flow. No other transaction connects it. Raises AuthorizationEnded."""
        connection.run(_LOCK, token=digest(token))
        return self._flow(connection.first_row(_FIND, token=digest(token)))

    def again(self, token: str, browser: str) -> tuple[Flow, str]:
        """Return a connected flow with a new code, to the browser that connected it.

        Raises AuthorizationEnded, AuthorizationDone, AuthorizationElsewhere.
        """
        with self._database.write() as connection:
            flow = self.lock(connection, token)
            if flow.browser != digest(browser):
                raise AuthorizationElsewhere
            return flow, add_code(connection, flow)

    def purge(self) -> None:
        """Delete what has expired, if there is anything."""
        with self._database.read() as connection:
            is_due = connection.first_row(_PURGE_IS_DUE)
        if is_due:
            with self._database.write() as connection:
                purge(connection)

    def credentials(self, code: str) -> Credentials:
        """Return the AppKey and AppToken for a code. Raises AuthorizationEnded.

        The first call records that VTEX fetched the AppToken.
        """
        with self._database.read() as connection:
            row = connection.first_row(_CREDENTIALS, digest=digest(code))
        if row is None:
            raise AuthorizationEnded
        with self._database.write() as connection:
            connection.run(_FETCH, token_id=row["token_id"])
        token = self._vault.unseal(row["sealed"], token_owner(row["merchant_id"]))
        return Credentials(row["name"], row["provider"], row["app_key"], token)

    def _flow(self, row: Row | None) -> Flow:
        if row is None:
            raise AuthorizationEnded
        return Flow(
            id=row["id"],
            store=row["store"],
            return_url=self._vault.unseal(row["return_url"], _owner(row["token"])),
            expires_at=float(row["expires_at"]),
            token_id=row["token_id"],
            merchant=row["merchant"],
            provider=row["provider"],
            browser=row["browser"],
        )


def connect(
    connection: Connection, flow: Flow, merchant_id: int, token_id: int, browser: str
) -> None:
    """Record the merchant of a flow, its AppToken, and the secret of the browser that did it."""
    values = {"merchant_id": merchant_id, "token_id": token_id, "browser": digest(browser)}
    connection.run(_CONNECT, id=flow.id, **values)


def add_code(connection: Connection, flow: Flow) -> str:
    """Make a code, with which VTEX can fetch the AppToken of a flow.

    Raises AuthorizationDone if VTEX uses the AppToken, and AuthorizationEnded if later flows of the
    merchant have ended it: then VTEX may have no AppToken at all.
    """
    token = connection.first_row(_PAIR, token_id=flow.token_id)
    if not token or not token["is_sealed"]:
        raise AuthorizationDone if token and token["is_used"] else AuthorizationEnded
    code = new_token()
    connection.run(_DROP_CODES, id=flow.id, most=MOST_CODES - 1)
    connection.run(_INSERT_CODE, id=flow.id, digest=digest(code), seconds=CODE_SECONDS)
    return code


def purge(connection: Connection) -> None:
    """Delete expired flows with their codes, and sealed AppTokens that nobody can fetch."""
    connection.run(_PURGE_FLOWS)
    connection.run(_PURGE_SEALED)


def _make_room(connection: Connection, store: str, peer: str) -> None:
    """Raises TooManyRequests."""
    count = connection.first_row(_COUNT, store=store, peer=peer) or {}
    if count["of_peer"] >= MOST_OF_PEER or count["of_store"] >= MOST_OF_STORE:
        raise TooManyRequests(seconds=RETRY_SECONDS)
    if count["flows"] < MOST_FLOWS:
        return
    largest = connection.first_row(_LARGEST_PEER) or {}
    is_fair = largest["flows"] > count["of_peer"] + 1
    if not is_fair or not connection.run(_EVICT, peer=largest["peer"]):
        raise TooManyRequests(seconds=RETRY_SECONDS)


def _owner(token_digest: str) -> str:
    """Name the owner of a returnUrl, for the vault."""
    return f"returnUrl of {token_digest}"

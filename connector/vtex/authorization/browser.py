"""What a person's browser keeps during a flow: a secret of its own, and an invitation's code."""

import secrets
import time
from typing import cast

from flask import Response, request, session

from connector.domain.authorization import Flow, Invitation
from connector.pages import cookies

# The invitation whose link the person opened, or that the person typed.
COOKIE = "connector_invitation"
PATH = "/authorization"
# Members of the signed cookie that also proves our forms.
_BROWSER, _DOUBTED = "browser", "doubted"


def secret() -> str:
    """Return the secret of this browser. The first page of a flow makes it."""
    if _BROWSER not in session:
        session[_BROWSER] = secrets.token_urlsafe(32)
    return cast("str", session[_BROWSER])


def doubt(flow: Flow) -> None:
    """Remember that nobody knows if the keys of a flow work."""
    session[_DOUBTED] = flow.id


def is_doubted(flow: Flow) -> bool:
    return bool(session.get(_DOUBTED) == flow.id)


def invitation() -> str:
    """Return the code of an invitation that this browser keeps, or an empty text."""
    return request.cookies.get(COOKIE, "")


def keep(response: Response, code: str, known: Invitation) -> None:
    """Keep the code of a known invitation, until the invitation ends."""
    response.set_cookie(
        COOKIE,
        code,
        max_age=max(0, int(known.expires_at - time.time())),
        path=PATH,
        secure=cookies.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def forget(response: Response) -> None:
    """Keep no invitation any more."""
    if invitation():
        response.delete_cookie(
            COOKIE, path=PATH, secure=cookies.is_secure(), httponly=True, samesite="Lax"
        )

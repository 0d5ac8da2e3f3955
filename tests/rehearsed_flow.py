"""A small connector with the configuration flow, right or wrong in one way."""

import json
import re
import uuid
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.stand_in import Handler, StandIn

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
WORDS = {"en": "Connect", "ru": "Подключить", "uk": "Підключити", "es": "Conectar"}
WORDS |= {"pt-BR": "Ligar"}
INVITATION = "an-invitation"

Reply = tuple[int, dict[str, str], bytes]


class _Handler(Handler):
    connector: "RehearsedFlow"

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer: Callable[..., Reply] = self.connector.answer
        status, headers, content = answer(self.command, self.path, self.headers, body)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class RehearsedFlow(StandIn):
    """It connects stores as VTEX's papers ask, but for its `defect`."""

    handler = _Handler

    def __init__(self, defect: str = "") -> None:
        super().__init__(defect)
        self.flows: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.app_keys: dict[str, str] = {}
        self.live: dict[str, list[str]] = {}
        self.invited = {INVITATION}

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> Reply:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path == "/manifest":
            method = {"name": "Tranzzo", "allowsSplit": "disabled"}
            return _json(200, {"paymentMethods": [method]})
        if not path.startswith(("/authorization", "/payments")) or self.is_("has no flow"):
            return 404, {"Content-Type": "text/html"}, b"<p>Nothing here"
        if path == "/authorization/token":
            return self._begin(json.loads(body))
        if path == "/authorization/credentials":
            return self._credentials(query["authorizationCode"][0])
        if path == "/authorization/redirect":
            form = parse_qs(body.decode(), keep_blank_values=True)
            return self._page(method, target, query, headers, {k: v[0] for k, v in form.items()})
        return self._cancel(headers, json.loads(body))

    # VTEX's part.

    def _begin(self, sent: dict[str, Any]) -> Reply:
        if self.is_("is off"):
            return _json(403, {"code": "signup-off"})
        url = sent["returnUrl"]
        is_vtex = re.fullmatch(r"https://[a-z]+\.myvtex\.com/[!-~]{0,500}", url or "")
        if not is_vtex and not self.is_("trusts every address"):
            return _json(400, {"code": "invalid-request"})
        token = uuid.uuid4().hex
        self.flows[token] = {"url": url, "proof": uuid.uuid4().hex}
        application = "other" if self.is_("echoes nothing") else sent["applicationId"]
        return _json(200, {"applicationId": application, "token": token})

    def _credentials(self, code: str) -> Reply:
        pair = self.codes.get(code)
        if pair is None and not self.is_("knows every code"):
            return _json(410, {"code": "authorization-ended"})
        if self.is_("gives the pair once"):
            del self.codes[code]
        pair = pair or {"appKey": "K", "appToken": "T"}
        return _json(200, {"applicationId": "vtex", **pair})

    def _cancel(self, headers: Any, sent: dict[str, Any]) -> Reply:
        app_key, token = headers["X-VTEX-API-AppKey"], headers["X-VTEX-API-AppToken"]
        if token not in self.live.get(app_key, []) or self.is_("gives dead keys"):
            return _json(401, {"code": "unauthorized"})
        if not self.is_("keeps the pair"):
            used = [code for code, pair in self.codes.items() if pair["appToken"] == token]
            for code in used:
                del self.codes[code]
        return _json(200, {**sent, "cancellationId": "C", "code": None, "message": "Cancelled"})

    # The merchant's part.

    def _page(
        self, method: str, target: str, query: Any, headers: Any, form: dict[str, str]
    ) -> Reply:
        language = self._language(query, headers)
        flow = self.flows.get(query["token"][0])
        if flow is None and self.is_("shows an ended flow"):
            flow = {"url": "https://rehearsal.myvtex.com/", "proof": ""}
        if flow is None:
            status = 200 if self.is_("hides an end") else 410
            return self._html(status, language, "<p>This link has ended")
        if method == "GET":
            return self._html(200, language, self._step(target, flow, ""))
        if form.get("proof") != flow["proof"] and not self.is_("believes every form"):
            return self._html(400, language, "<p>Load the page again")
        return self._sent(target, language, flow, form)

    def _sent(
        self, target: str, language: str, flow: dict[str, Any], form: dict[str, str]
    ) -> Reply:
        store = flow["url"].split(".")[0]
        if not form.get("agree") and not self.is_("takes an empty form"):
            fault = "tick" if self.is_("names an unknown field") else "agree"
            body = "" if self.is_("names no fault") else f'<p id="{fault}-fault">Please agree'
            return self._html(422, language, self._step(target, flow, body))
        if store not in self.app_keys and form.get("invitation") not in self.invited:
            body = '<p id="invitation-fault">An invitation is needed</p>'
            return self._html(409, language, self._step(target, flow, body))
        if form.get("api_key", "") == "wrong":
            body = '<p id="api_key-fault">The company <b>refuses</b> it</p>'
            return self._html(409, language, self._step(target, flow, body))
        if self.is_("never ends"):
            return 303, {**HEADERS, "Location": target}, b""
        return self._html(200, language, self._end(flow["url"], self._connect(store)))

    def _connect(self, store: str) -> str:
        self.invited.clear()
        if self.is_("forgets the store"):
            self.app_keys.pop(store, None)
        app_key = self.app_keys.setdefault(store, uuid.uuid4().hex)
        tokens = self.live.setdefault(app_key, [])
        token = tokens[0] if tokens and self.is_("gives one token") else uuid.uuid4().hex
        tokens[:] = [token] if self.is_("ends the old token") else [token, *tokens][:2]
        code = uuid.uuid4().hex
        self.codes[code] = {"appKey": app_key, "appToken": token}
        return code

    def _step(self, target: str, flow: dict[str, Any], fault: str) -> str:
        account = "somebody" if self.is_("names no account") else urlsplit(flow["url"]).hostname
        action = "https://example.com/" if self.is_("sends the form elsewhere") else escape(target)
        form = f"""
            <h1>{account}</h1><form method="{"get" if self.is_("sends by get") else "post"}"
                action="{action}">
            <input type="hidden" name="proof" value="{flow["proof"]}">{fault}
            <label for="i">Invitation</label><input id="i" name="invitation">
            <input type="radio" name="provider" value="sandbox" checked>
            <input type="radio" name="provider" value="acme">
            <select name="stage"><option value="one" selected>One<option value="two">Two</select>
            <textarea name="api_key"></textarea><input type="checkbox" name="agree">
            <button name="go">Go</button><input type="submit" value="Send"></form>"""
        return form + form if self.is_("has two forms") else form

    def _end(self, url: str, code: str) -> str:
        location, mark, rest = url.partition("#")
        address = location.replace("?authorizationCode=", f"?authorizationCode={code}", 1)
        if address == location or self.is_("appends the code"):
            separator = "&" if "?" in location else "?"
            address = f"{location}{separator}authorizationCode={code}"
        address += mark + rest
        address = address.replace("%2f", "%2F") if self.is_("escapes anew") else address
        address = url if self.is_("forgets the code") else address
        other = "https://example.com/" if self.is_("links elsewhere") else address
        return f"""<meta http-equiv="refresh" content="5; url={escape(address)}">
            <a id="return" href="{escape(other)}">Back</a>"""

    def _language(self, query: Any, headers: Any) -> str:
        if self.is_("speaks English"):
            return "en"
        kept = re.search(r"lang=([\w-]+)", headers.get("Cookie") or "")
        kept = None if self.is_("forgets the language") else kept
        return str(query.get("lang", [kept[1] if kept else "en"])[0])

    def _html(self, status: int, language: str, body: str) -> Reply:
        word = "Connect" if self.is_("translates nothing") else WORDS[language]
        style = "<style>p {}</style><title>A title</title>"
        text = f'<!doctype html><html lang="{language}">{style}<p>{word}</p>{body}'
        headers = {**HEADERS, "Content-Type": "text/html", "Set-Cookie": f"lang={language}"}
        if self.is_("tells where it was"):
            del headers["Referrer-Policy"]
        if self.is_("answers in text"):
            headers["Content-Type"] = "text/plain"
        return status, headers, text.encode()


def _json(status: int, body: dict[str, Any]) -> Reply:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()

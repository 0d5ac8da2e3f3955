"""A person who looks at payments in the console."""

import re
from typing import Any

from werkzeug.test import TestResponse

from tests.console.people import sign_in
from tests.rig import Rig


class Visitor:
    """An operator, or the person of one merchant, in one browser. Switches the console on."""

    def __init__(self, rig: Rig, merchant: str | None = None, name: str = "Anna") -> None:
        if rig.environment.get("CONNECTOR_CONSOLE") != "on":
            rig.configure(CONNECTOR_CONSOLE="on")
        self.person = sign_in(rig, name, merchant)

    def get(self, path: str, **values: Any) -> TestResponse:
        return self.person.get(path, query_string=values or None)

    def begin(self, path: str) -> TestResponse:
        """Get an answer whose body is not read yet."""
        return self.person.get(path, buffered=False)

    def text(self, path: str, **values: Any) -> str:
        """Return the HTML of a page that exists."""
        answer = self.get(path, **values)
        assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.content_type)
        return answer.text

    def look(self, merchant: str, payment_id: str) -> TestResponse:
        """Press the button on the page of a payment."""
        path = f"/console/payments/{merchant}/{payment_id}"
        return self.person.post(f"{path}/look", page=path)


def ids(page: str) -> list[str]:
    """Return the payment ids of a list, in its order."""
    return re.findall(r"<code>([^<]+)</code></a>", page)


def steps(page: str) -> list[str]:
    """Return the sentences of a story, without marks. Each step has one."""
    (story,) = re.findall(r'<ol class="story" id="story">(.*?)</ol>', page, re.DOTALL)
    found = re.findall(r"<li[^>]*>\s*<p>(.*?)</p>", story, re.DOTALL)
    assert len(found) == story.count("<li")
    return [re.sub(r"<[^>]+>", "", sentence) for sentence in found]

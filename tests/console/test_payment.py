"""The page of one payment: its head, its money, and its story."""

import html
import re
from collections.abc import Iterator
from functools import partial

import pytest

from connector.console import payment as payment_page
from connector.domain.person import actor_of
from connector.domain.story import Kind
from connector.operations.closing import Closing
from connector.pages.languages import LANGUAGES
from tests.companies.tranzzo import TranzzoCompany
from tests.console.visitor import Visitor, steps
from tests.rig import Rig
from tests.sink import Sink

MARKUP = "<script>alert(1)</script>"
HOSTILE = f"{MARKUP}\0\u202e\"'&{'x' * 60}"
PAGE = "/console/payments/shop/P1"


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


def whole_life(rig: Rig, company: TranzzoCompany, sink: Sink) -> None:
    rig.configure(CONNECTOR_CALLBACK_HOSTS=sink.host)
    rig.add(company)
    rig.create("P1", callbackUrl=sink.url, transactionId="T1", orderId="O1")
    company.pay("P1")
    rig.notify(company, "P1")
    rig.settle("P1")
    rig.refund("P1", 30)


def test_the_story_is_told_in_sentences_oldest_first(
    rig_on_both: Rig, company: TranzzoCompany, sink: Sink
) -> None:
    whole_life(rig_on_both, company, sink)
    page = Visitor(rig_on_both).text(PAGE)
    assert [
        "VTEX asked to create a payment of RUB\xa0100.00.",
        "We asked Tranzzo to create the payment.",
        "Tranzzo said: the payment waits for the buyer.",
        "We told VTEX: the payment waits for the buyer.",
        "Tranzzo sent a notification.",
        "Tranzzo said “auth success 1002”: the money is held.",
        "We acted on the notification.",
        "We called VTEX back with the status “approved”, and VTEX took it.",
        "VTEX asked to take RUB\xa0100.00.",
        "Tranzzo said “auth success 1002”: the money is held.",
        "We asked Tranzzo to take the money.",
        "Tranzzo said “capture success 1000”: it is done.",
        "We told VTEX: RUB\xa0100.00 is taken.",
        "VTEX asked to return RUB\xa030.00 to the buyer.",
        "Tranzzo said “auth success 1002”: the money is taken.",
        "We asked Tranzzo to return RUB\xa030.00 to the buyer.",
        "Tranzzo said “refund success 1000”: it is done.",
        "We told VTEX: RUB\xa030.00 is returned.",
    ] == steps(page)


def test_everything_that_the_command_shows_is_on_the_page(
    rig: Rig, company: TranzzoCompany, sink: Sink
) -> None:
    whole_life(rig, company, sink)
    page = Visitor(rig).text(PAGE)
    for step in rig.connector.stories.steps("shop", "P1"):
        shown = [step.reference, step.http_status, step.code]
        if step.kind in {Kind.ANSWERED, Kind.NOTIFIED}:
            shown.append(step.reported_status)
        if step.operation != "notification":
            shown.append(step.request_id)
        if step.kind in {Kind.TOLD, Kind.ENDED}:
            shown.append(step.message)
        for value in filter(None, shown):
            assert str(value) in page, step
    for known in ("T1", "O1", "P1", 'datetime="20'):
        assert known in page


def test_the_money_is_drawn_and_written(rig: Rig, company: TranzzoCompany, sink: Sink) -> None:
    whole_life(rig, company, sink)
    page = Visitor(rig).text(PAGE)
    bar = re.search(r"<svg role=.*?</svg>", page, re.DOTALL)
    assert bar
    assert [("fill-good", "420.00"), ("fill-bad", "180.00")] == re.findall(
        r'class="([\w-]+)" x="[\d.]+" y="0" width="([\d.]+)"', bar[0]
    )
    assert "RUB\xa070.00 taken for the shop" in page
    assert "RUB\xa030.00 returned to the buyer" in page


def test_a_lost_answer_and_a_task_for_a_person_are_told(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    company.create("P1")
    company.inject("reset_after", "void")
    company.inject("status_before", "look", status=502)
    rig.cancel("P1")
    rig.cancel("P1")
    told = " ".join(steps(Visitor(rig).text(PAGE)))
    assert told.startswith("VTEX asked to cancel the payment. ")
    assert "Tranzzo gave no answer that says what happened." in told
    assert "We told VTEX: the end is not known yet. VTEX asks again." in told
    assert told.endswith("We told VTEX: the payment is cancelled.")
    company.create("P2", state="captured")
    rig.cancel("P2", value=3)
    told = " ".join(steps(Visitor(rig).text("/console/payments/shop/P2")))
    assert told.startswith("VTEX asked to cancel the payment, and wrote the value 3. ")
    assert told.endswith("We told VTEX: a person must cancel this payment.")


def test_who_closed_a_task_and_the_note_are_told_once(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    company.create("P1", state="captured")
    rig.cancel("P1")
    (row,) = rig.connector.requests.rows(payment_id="P1")
    _closing(rig).close(1, row, f"Returned {MARKUP} by hand")
    page = Visitor(rig).text(PAGE)
    assert "Anna closed this task." == steps(page)[-1]
    assert "<blockquote><bdi>Returned &lt;script&gt;" in page
    assert 1 == page.count("Returned &lt;script&gt;")


def _closing(rig: Rig) -> Closing:
    connector = rig.connector
    return Closing(connector.requests, connector.merchants.record, "Anna", "console close", "Anna")


def test_what_people_did_stands_between_the_steps(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    rig.create("P1")
    rig.connector.merchants.record("shop", f"Anna {MARKUP}", "console resend", payment="P1")
    rig.connector.merchants.record("shop", "Boris", "console resend", payment="P2")
    record = partial(rig.connector.merchants.record, "shop", actor_of("Clara"), payment="P1")
    record("console send callback")
    record("console run notification", request="message-1")
    rig.execute("UPDATE events SET at = at + 60 WHERE kind = 'told'")
    told = steps(Visitor(rig).text(PAGE))
    assert "We told VTEX: the payment waits for the buyer." == told[-1]
    assert [
        "Anna &lt;script&gt;alert(1)&lt;/script&gt; used: console resend.",
        "Clara asked the connector to call VTEX back at once.",
        "Clara let the connector act on a notification once more.",
    ] == told[-4:-1]
    assert "Boris" not in " ".join(told)


def test_a_clock_that_jumped_does_not_change_the_order(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    rig.create("P1")
    before = steps(Visitor(rig).text(PAGE))
    rig.execute("UPDATE events SET at = 2000000000 - id")
    page = Visitor(rig).text(PAGE)
    assert before == steps(page)
    assert 1 == page.count("after 0 sec")


def test_a_payment_that_vtex_cancelled_before_its_create_has_no_amount(rig: Rig) -> None:
    rig.add()
    rig.cancel("P1")
    page = Visitor(rig).text(PAGE)
    assert "its amount is not known" in page
    assert 'data-status="CANCELLED"' in page
    assert "<svg" not in page


def test_a_long_story_is_shown_from_its_begin(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payment_page, "MOST_STEPS", 4)
    rig.add()
    rig.create("P1")
    assert "These are the first" not in Visitor(rig).text(PAGE)
    rig.settle("P1")
    page = Visitor(rig).text(PAGE)
    assert 4 == len(steps(page))
    assert "These are the first 4 steps" in page
    assert "connector operations show P1" in page


def test_notes_of_a_head_say_what_is_under_way(rig: Rig) -> None:
    rig.add()
    rig.create("P1")
    notes = {
        "lease_until = 4e9": "A request works on this payment",
        "callback_at = 4e9": "A message to VTEX about this payment waits",
        "is_manual = 1": "A person was asked to return the money",
    }
    quiet = Visitor(rig).text(PAGE)
    assert not any(note in quiet for note in notes.values())
    for change, note in notes.items():
        rig.execute(f"UPDATE payments SET {change}")  # noqa: S608
        page = Visitor(rig).text(PAGE)
        assert note in page
        links = re.findall(r'<p class="note[^>]*><a href="([^"]+)"', page)
        assert [200] * len(links) == [
            Visitor(rig).get(html.unescape(link)).status_code for link in links
        ]


def test_everything_from_outside_is_only_a_text(rig: Rig) -> None:
    rig.add()
    rig.create("P1", orderId=HOSTILE[:120], transactionId=HOSTILE[:120])
    rig.settle("P1", request_id=HOSTILE)
    columns = ("authorization_id", "provider_payment_id", "cancellation_id", "code", "currency")
    for name in columns:
        rig.execute(f"UPDATE payments SET {name} = :text", text=MARKUP)  # noqa: S608
    for name in ("word", "message", "reason", "who", "note", "reference", "code", "action"):
        text = MARKUP if name != "action" else "settle"
        rig.execute(f"UPDATE events SET {name} = :text", text=text)  # noqa: S608
    for language in LANGUAGES:
        page = Visitor(rig).text(PAGE, lang=language)
        assert MARKUP not in page
        assert "<script" not in page
        assert "\0" not in page
        assert "\u202e" not in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_has_a_sentence_in_every_language(
    rig: Rig, company: TranzzoCompany, sink: Sink, language: str
) -> None:
    whole_life(rig, company, sink)
    told = steps(Visitor(rig).text(PAGE, lang=language))
    assert 18 == len(told)
    assert all(sentence.endswith(".") for sentence in told)
    assert not any("%(" in sentence for sentence in told)
    is_english = "VTEX asked" in told[0]
    assert is_english == (language == "en")


@pytest.mark.parametrize(
    "path",
    [
        "/console/payments/shop/nobody",
        "/console/payments/nobody/P1",
        "/console/payments/other/P1",
        "/console/payments/shop/P1/more",
        "/console/payments/shop/%00",
        "/console/payments/%00/P1",
        "/console/payments/shop/" + "x" * 3000,
    ],
)
def test_a_payment_that_is_not_there_is_a_page_of_its_own(rig: Rig, path: str) -> None:
    rig.add()
    rig.add(name="other")
    rig.create("P1")
    answer = Visitor(rig).get(path)
    assert 404 == answer.status_code
    assert "text/html" in answer.content_type or path.endswith("more")


def test_a_merchants_person_sees_no_page_of_another_merchant(rig: Rig) -> None:
    rig.add()
    rig.add(name="other")
    rig.create("P1")
    rig.create("P2", merchant="other")
    own, operator = Visitor(rig, "shop"), Visitor(rig)
    assert [200, 404, 404] == [
        own.get(f"/console/payments/{path}").status_code
        for path in ("shop/P1", "other/P2", "shop/P2")
    ]
    assert 404 == own.get("/console/payments/other/nobody").status_code
    assert 200 == operator.get("/console/payments/other/P2").status_code


def test_a_disabled_merchant_keeps_its_stories(rig: Rig) -> None:
    rig.add()
    rig.create("P1")
    rig.connector.merchants.disable("shop")
    rig.configure()
    assert 200 == Visitor(rig).get(PAGE).status_code


def test_a_provider_that_is_switched_off_does_not_hide_the_story(rig: Rig) -> None:
    rig.add()
    rig.create("P1")
    rig.configure(CONNECTOR_PROVIDERS="tranzzo")
    page = Visitor(rig).text(PAGE)
    assert "We asked sandbox to create the payment." in steps(page)
    assert "sandbox" in Visitor(rig).text("/console/payments")

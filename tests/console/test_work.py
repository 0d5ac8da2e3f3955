"""The work for a person: what is shown, and what closing a row does."""

import json
import re
from typing import Any

import pytest

from connector.console import work
from connector.domain.operation import CancelRequest, Lease
from connector.domain.payment import PaymentKey
from connector.operations.closing import request_of
from connector.storage import work_list
from tests.companies.tranzzo import TranzzoCompany
from tests.companies.yandex_pay import YandexPayCompany
from tests.console.people import Person, sign_in
from tests.console.reading import seen, text
from tests.rig import Rig
from tests.storage.plans import add_requests

PAGE = "/console/work"
CLOSE = "/console/close"
MERCHANTS = {"shop": 1, "other": 2}
BIDI = "\u202e\x1b<b>"


@pytest.fixture
def listed(desk_on_both: Rig) -> Rig:
    """A payment of the shop and one of another merchant, each to be cancelled by a person."""
    rig = desk_on_both
    with TranzzoCompany() as company:
        rig.add(company)
        rig.add(company, name="other")
        for merchant in ("shop", "other"):
            company.create(f"P-{merchant}", state="captured")
            answer = rig.cancel(f"P-{merchant}", merchant=merchant)
            assert 501 == answer.status_code
    return rig


def rows(page: str) -> list[str]:
    """Return the ids of the rows on a page."""
    return re.findall(r'id="row-([^"]+)"', page)


def row_of(rig: Rig, payment_id: str) -> str:
    rows = rig.connector.requests.rows(payment_id=payment_id)
    ids = {request_of(MERCHANTS[row.merchant], row).claim_id for row in rows}
    (row_id,) = ids
    return row_id


def closing(rig: Rig, payment_id: str = "P-shop") -> str:
    return f"{CLOSE}/{row_of(rig, payment_id)}"


def test_the_navigation_shows_that_the_form_belongs_to_the_work(listed: Rig) -> None:
    page = text(sign_in(listed, "Anna"), closing(listed))
    assert f'<a href="{PAGE}" aria-current="true">' in page
    assert 1 == page.count('aria-current="true">Work')


def test_nothing_waits_at_first(desk: Rig) -> None:
    assert "Nothing waits for a person." in text(sign_in(desk, "Anna"), PAGE)


def test_a_row_says_what_happened_what_to_do_and_what_not(listed: Rig) -> None:
    page = text(sign_in(listed, "Anna"), PAGE)
    words_of_page = seen(page)
    assert [row_of(listed, "P-shop"), row_of(listed, "P-other")] == rows(page)
    for words in (
        "Cancellation, ",
        "its money is already taken",
        "What to do: Find the payment in the console of Tranzzo.",
        "What not to do: Do not do both",
        "This payment needs to be cancelled manually: the money is already captured",
        "cancel-manually",
    ):
        assert words in words_of_page
    assert 'href="/console/payments/shop/P-shop"' in page
    assert f'href="{closing(listed)}"' in page


def test_a_merchants_person_sees_that_merchant_only(listed: Rig) -> None:
    page = text(sign_in(listed, "Ada", "shop"), f"{PAGE}?merchant=other")
    assert [row_of(listed, "P-shop")] == rows(page)
    assert "P-other" not in page
    assert 'name="merchant"' not in page


def test_an_operator_chooses_a_merchant(listed: Rig) -> None:
    visitor = sign_in(listed, "Anna")
    assert [row_of(listed, "P-other")] == rows(text(visitor, f"{PAGE}?merchant=other"))
    answer = visitor.get(f"{PAGE}?merchant=nobody")
    assert 400 == answer.status_code
    assert 'id="merchant-fault"' in answer.text
    assert [] == rows(answer.text)


@pytest.mark.parametrize("after", ["x", "1.0~", "nan~" + "0" * 64, "01.0~" + "0" * 64, "1~\0"])
def test_an_address_that_is_not_whole_is_told(desk: Rig, after: str) -> None:
    answer = sign_in(desk, "Anna").get(PAGE, query_string={"after": after})
    assert (400, True) == (answer.status_code, 'id="after-fault"' in answer.text)


def test_pages_follow_each_other(desk: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "ROWS_OF_A_PAGE", 2)
    desk.add(name="a b")
    many = [{"id": f"{n:064x}", "state": "manual", "created_at": n // 2 + 0.25} for n in range(5)]
    add_requests(desk.connector.database, many)
    visitor, path, found = sign_in(desk, "Anna"), f"{PAGE}?merchant=a+b", list[str]()
    for _ in range(3):
        page = text(visitor, path)
        found += rows(page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert ([f"{n:064x}" for n in range(5)], "") == (found, path)


def test_a_refund_that_may_still_come_is_shown_and_cannot_be_closed(desk: Rig) -> None:
    with YandexPayCompany() as company:
        desk.add(company)
        desk.create("P1")
        company.pay("P1")
        desk.create("P1")
        desk.settle("P1")
        company.is_slow = True
        desk.refund("P1", 40)
    desk.execute("UPDATE requests SET state = 'waiting' WHERE operation = 'refund'")
    visitor = sign_in(desk, "Anna")
    page = seen(text(visitor, PAGE))
    assert "Refund, RUB 40" in page
    assert "Never return this money by hand while the refund is open" in page
    assert "This row cannot be closed. This refund may still be made." in page
    ((row_id,),) = desk.execute("SELECT id FROM requests WHERE operation = 'refund'")
    path = f"{CLOSE}/{row_id}"
    assert "<textarea" not in text(visitor, path)
    add_requests(desk.connector.database, [{"id": "f" * 64, "state": "manual"}])
    before = desk.execute("SELECT * FROM requests")
    answer = visitor.post(path, page=f"{CLOSE}/{'f' * 64}", who="Anna", note="Done")
    assert 409 == answer.status_code
    assert "Your note was not kept: Done" in seen(answer.text)
    assert before == desk.execute("SELECT * FROM requests")


def test_a_closed_row_keeps_the_name_and_the_note(listed: Rig) -> None:
    visitor = sign_in(listed, "Anna")
    path = closing(listed)
    assert 'value="Anna"' in text(visitor, path)
    answer = visitor.post(path, page=path, who="Anna", note=f"Returned\r\n at the  bank {BIDI}")
    assert (303, path) == (answer.status_code, answer.location)
    note = f"Returned at the bank {BIDI}"
    ((state, looks),) = listed.execute(
        "SELECT state, next_look_at FROM requests WHERE payment_id = 'P-shop'"
    )
    assert ("done", None) == (state, looks)
    (step,) = (s for s in listed.connector.stories.steps("shop", "P-shop") if s.kind == "closed")
    assert ("Anna", note) == (step.who, step.note)
    ((actor, changed),) = listed.execute(
        "SELECT actor, changed FROM admin_events WHERE command = 'console close'"
    )
    assert ("console: Anna", note) == (actor, json.loads(changed)["options"]["note"])
    page = text(visitor, path)
    assert "This row is closed." in page
    assert not {"\u202e", "\x1b", "<b>"} & {*page, page[page.find("<b>") :][:3]}
    assert "\\u202e\\u001b" in page
    assert [row_of(listed, "P-other")] == rows(text(visitor, PAGE))


def test_another_name_stands_beside_the_name_of_the_session(listed: Rig) -> None:
    sign_in(listed, "Anna").post(closing(listed), page=closing(listed), who="Bob", note="Done")
    (step,) = (s for s in listed.connector.stories.steps("shop", "P-shop") if s.kind == "closed")
    assert "Bob (signed in as Anna)" == step.who


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"who": "Anna", "note": ""}, "note-fault"),
        ({"who": "Anna", "note": " \n "}, "note-fault"),
        ({"who": "", "note": "Done"}, "who-fault"),
        ({"who": "x" * 101, "note": "Done"}, "who-fault"),
        ({"who": "4111111111111111", "note": "Done"}, "who-fault"),
        ({"who": "Anna", "note": "x" * 501}, "note-fault"),
        ({"who": "Anna", "note": "to card 4111 1111 1111 1111"}, "note-fault"),
    ],
)
def test_a_faulty_form_closes_nothing_and_keeps_what_was_typed(
    listed: Rig, fields: dict[str, str], fault: str
) -> None:
    before = listed.execute("SELECT * FROM requests")
    answer = sign_in(listed, "Anna").post(closing(listed), page=closing(listed), **fields)
    assert 400 == answer.status_code
    assert f'id="{fault}"' in answer.text
    assert " ".join(fields["note"].split()) in answer.text
    assert before == listed.execute("SELECT * FROM requests")
    assert "4111" not in str(listed.execute("SELECT * FROM admin_events"))


def test_a_form_that_is_sent_twice_closes_once(listed: Rig) -> None:
    visitor, path = sign_in(listed, "Anna"), closing(listed)
    proof = visitor.proof(path)
    fields = {"csrf_token": proof, "who": "Anna", "note": "Returned"}
    answers = [visitor.client.post(path, data=fields).status_code for _ in range(2)]
    assert [303, 303] == answers
    assert [(1,)] == closed_steps(listed)
    late = visitor.client.post(path, data={**fields, "note": "Returned by Bob"})
    assert 409 == late.status_code
    assert "Your note was not kept: Returned by Bob" in seen(late.text)
    assert [(1,)] == closed_steps(listed)


def closed_steps(rig: Rig) -> list[Any]:
    return [tuple(row) for row in rig.execute("SELECT count(*) FROM events WHERE kind = 'closed'")]


def test_nothing_is_closed_while_the_payment_is_worked_on(listed: Rig) -> None:
    request = CancelRequest(1, PaymentKey("P-shop"), "request-2")
    requests = listed.connector.requests
    assert isinstance(requests.claim(request, lease_seconds=60, first_look=60), Lease)
    ((row_id,),) = listed.execute(
        "SELECT id FROM requests WHERE payment_id = 'P-shop' AND request_id = 'request-1'"
    )
    path = f"{CLOSE}/{row_id}"
    answer = sign_in(listed, "Anna").post(path, page=path, who="Anna", note="Returned")
    assert 409 == answer.status_code
    assert "Send the form again in a minute." in answer.text
    assert "Returned" in answer.text
    assert [(0,)] == closed_steps(listed)
    listed.let_leases_end()
    assert (
        303
        == sign_in(listed, "Anna").post(path, page=path, who="Anna", note="Returned").status_code
    )


def test_a_row_that_ended_meanwhile_is_told(listed: Rig) -> None:
    visitor, path = sign_in(listed, "Anna"), closing(listed)
    fields = {"csrf_token": visitor.proof(path), "who": "Anna", "note": "Returned"}
    listed.execute("UPDATE requests SET state = 'done' WHERE payment_id = 'P-shop'")
    answer = visitor.client.post(path, data=fields)
    assert 409 == answer.status_code
    assert "the request ended by itself" in answer.text
    assert [(0,)] == closed_steps(listed)


def test_another_merchants_row_does_not_exist(listed: Rig) -> None:
    visitor, own, other = (
        sign_in(listed, "Ada", "shop"),
        closing(listed),
        closing(listed, "P-other"),
    )
    assert 404 == visitor.get(other).status_code
    proof = visitor.proof(own)
    fields = {"csrf_token": proof, "who": "Anna", "note": "Returned"}
    assert 404 == visitor.client.post(other, data=fields).status_code
    assert [(0,)] == closed_steps(listed)
    assert 404 == visitor.get(f"{CLOSE}/{'0' * 64}").status_code
    assert 404 == visitor.get(f"{CLOSE}/%00").status_code


def test_a_form_of_another_site_closes_nothing(listed: Rig) -> None:
    fields = {"who": "Anna", "note": "Returned"}
    assert 400 == sign_in(listed, "Anna").client.post(closing(listed), data=fields).status_code
    assert [(0,)] == closed_steps(listed)


def test_markup_in_what_is_recorded_is_shown_as_text(listed: Rig) -> None:
    listed.execute(
        "UPDATE requests SET request_id = '<script>x', message = '<i>\u202e', reason = '<u>'"
    )
    page = text(sign_in(listed, "Anna"), PAGE)
    assert not [mark for mark in ("<script", "<i>", "<u>", "\u202e") if mark in page]
    assert "&lt;script&gt;x" in page


def test_the_navigation_says_how_much_waits_for_whom(
    listed: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(person: Person) -> str:
        found = re.search(r'href="/console/work"[^>]*>([^<]+)<', text(person, "/console/"))
        return found[1] if found else ""

    operator, merchant = sign_in(listed, "Anna"), sign_in(listed, "Ada", "shop")
    assert ("Work (2)", "Work (1)") == (link(operator), link(merchant))
    monkeypatch.setattr(work_list, "MOST_COUNTED", 1)
    monkeypatch.setattr(work, "MOST_COUNTED", 1)
    assert ("Work (1+)", "Work (1)") == (link(operator), link(merchant))
    listed.execute("UPDATE requests SET state = 'done'")
    assert ("Work", "Work") == (link(operator), link(merchant))


def test_a_failing_database_is_told_on_a_page(listed: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    person = sign_in(listed, "Anna")
    monkeypatch.setattr(work_list, "PAGE", dict.fromkeys((False, True), "SELECT nothing"))
    monkeypatch.setattr(work_list, "COUNT", dict.fromkeys((False, True), "SELECT nothing"))
    answer = person.get(PAGE)
    assert (500, "text/html") == (answer.status_code, answer.mimetype)
    assert "Something failed here" in answer.text

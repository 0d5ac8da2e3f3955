"""One context is on every log line of a request, and on none of the next."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connector import context
from tests.companies.registry import provider_of
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import Rig, Served, headers
from tests.sink import Sink

pytestmark = pytest.mark.slow

Line = dict[str, Any]


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


def lines_of(served: Served, logger: str = "connector") -> list[Line]:
    read = [json.loads(line) for line in served.log.read_text().splitlines()]
    return [line for line in read if line["logger"].startswith(logger)]


def events(lines: list[Line], **words: Any) -> list[str]:
    return [line["event"] for line in lines if words.items() <= line.items()]


def test_every_line_of_a_request_names_the_request(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    company.create("p1")
    with Served(rig, threads=1) as served:
        served.cancel("p1", "first")
        lines = lines_of(served)
    first = {"merchant": "shop", "provider": "tranzzo", "operation": "cancel"}
    first |= {"payment_id": "p1", "request_id": "first", "attempt": 1}
    of_the_server = {"serving", "worker ready"}
    made = [line for line in lines if line["event"] not in of_the_server]
    assert len(made) == len(events(lines, **first)) >= 3
    calls = [line["call"] for line in made if line["event"] == "provider call"]
    assert ["look", "void"] == calls


def test_a_thread_that_is_used_again_forgets_the_request_before(
    rig: Rig, company: TranzzoCompany
) -> None:
    rig.add(company)
    company.create("p1")
    with Served(rig, threads=1) as served:
        asked = requests.Session()
        own = headers(rig.merchants["shop"])
        url = f"{served.url}/payments/p1/cancellations"
        body = {"paymentId": "p1", "requestId": "first"}
        for given in (own, {}):
            asked.post(url, json=body, headers=given, timeout=10)
        served.cancel("p1", "second")
        answers = [line for line in lines_of(served) if line["event"] == "answer"]
    assert [200, 401, 200] == [line["http_status"] for line in answers]
    assert ["first", None, "second"] == [line.get("request_id") for line in answers]
    assert ["shop", None, "shop"] == [line.get("merchant") for line in answers]
    assert [1, None, 1] == [line.get("attempt") for line in answers]


def test_attempts_are_counted_in_the_lines(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    company.create("p1")
    with Served(rig) as served:
        company.inject("status_before", status=502, body=b"")
        served.cancel("p1", "first")
        served.cancel("p1", "first")
        answers = [line for line in lines_of(served) if line["event"] == "answer"]
    assert [(500, 1), (200, 2)] == [(line["http_status"], line["attempt"]) for line in answers]


def test_what_follows_a_notification_is_named_too(
    rig: Rig, company: TranzzoCompany, log_lines: list[Line]
) -> None:
    rig.add(company)
    with Sink() as vtex:
        rig.configure(CONNECTOR_CALLBACK_HOSTS=vtex.host)
        rig.create("p1", callbackUrl=vtex.url)
        company.pay("p1")
        log_lines.clear()
        rig.notify(company, "p1")
    (answer,) = [line for line in log_lines if line["event"] == "answer"]
    named = {"merchant": "shop", "operation": "notification", "payment_id": "p1"}
    named |= {"request_id": answer["request_id"]}
    calls = [line for line in log_lines if line["event"] == "provider call"]
    assert named.items() <= answer.items()
    assert {**named, "call": "look", "attempt": 1}.items() <= calls[0].items()
    its = {"merchant": "shop", "operation": "callback", "payment_id": "p1", "provider": "vtex"}
    assert its.items() <= calls[-1].items()


def test_looks_of_reconcile_name_what_they_look_at(
    rig: Rig, company: TranzzoCompany, log_lines: list[Line]
) -> None:
    rig.add(company)
    for name in ("p1", "p2"):
        company.create(name)
        company.inject("status_before", status=502, body=b"")
        rig.cancel(name, f"request-{name}")
    log_lines.clear()
    rig.reconcile()
    calls = [line for line in log_lines if line["event"] == "provider call"]
    assert {"p1", "p2"} == {line["payment_id"] for line in calls}
    for line in calls:
        named = {"merchant": "shop", "operation": "cancel", "attempt": 2}
        named |= {"request_id": f"request-{line['payment_id']}", "provider": provider_of(company)}
        assert named.items() <= line.items()


def test_only_listed_fields_of_a_context_are_written(log_lines: list[Line]) -> None:
    with context.of(merchant="shop", secret="s3cr3t-word"):
        logging.getLogger("connector").info("told")
    logging.getLogger("connector").info("told")
    assert ["shop", None] == [line.get("merchant") for line in log_lines]
    assert "s3cr3t-word" not in json.dumps(log_lines)

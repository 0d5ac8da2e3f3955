"""The repository polices itself: what must agree, agrees; what is forbidden, is not there."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml
from openapi_spec_validator import validate

from connector import config, providers, server
from connector.app import create_app
from connector.cli import main
from connector.domain import errors
from connector.domain.errors import ConnectorError
from connector.keyless.document import openapi_document
from connector.provider import Provider
from tests.rig import Rig

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "connector").rglob("*.py"))
PROVIDERS = providers.discover()
OURS: dict[str, Any] = yaml.safe_load(openapi_document())
# No AppKey opens these. Who adds one says so in openapi.yaml.
OPEN = {
    path for path, item in OURS["paths"].items() for one in item.values() if not one["security"]
}
# Of these anybody may ask: they tell nothing of any merchant.
FOR_ANYBODY = {"/manifest", "/livez", "/readyz", "/pages/style.css", "/openapi.yaml"}
# A company proves its message by a signature, at an address that it alone was given.
SIGNED = "/webhooks/{providerName}/{merchantName}"
# About 300. A provider is one module, and RuStore's token is a part of it. Every table is on one
# page.
MOST_LINES = 310
LONGER = {
    "connector/storage/tables.py": 340,
    "connector/providers/cryptomus.py": 340,
    "connector/providers/rustore.py": 470,
    "connector/providers/tranzzo.py": 445,
    "connector/providers/yandex_pay.py": 575,
}
# Of a company, not of us; in a provider's module they are the company's own words.
FOREIGN = {"gateway", "processor", "psp", "upstream", "acquirer"}
# Say nothing. VTEX's `tid` and `nsu` are read in one module only.
EMPTY = {"data", "info", "manager", "util", "utils", "helper", "helpers", "misc"}
VTEXS = {"tid", "nsu", "acquirer"}
# Where every code, provider, setting and command is explained.
REFERENCE = "docs/reference.md"

NO_ROOMS = {"utils", "util", "helpers", "helper", "services", "models", "common", "misc", "core"}


def read(name: str) -> str:
    path = ROOT / name
    assert path.exists(), f"{name} is missing"
    return path.read_text()


def documents() -> str:
    return "\n".join(path.read_text() for path in sorted((ROOT / "docs").rglob("*.md")))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


# Routes.


@pytest.fixture
def routes(rig: Rig) -> dict[str, set[str]]:
    """Every path, as openapi.yaml writes it, with its methods."""
    found: dict[str, set[str]] = {}
    for rule in create_app(rig.connector).url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: "{" + camel(match[1]) + "}", rule.rule)
        found.setdefault(path, set()).update((rule.methods or set()) - {"HEAD"})
    return found


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))


def test_every_route_is_in_openapi_yaml_and_the_other_way_round(
    routes: dict[str, set[str]],
) -> None:
    described = {path: {method.upper() for method in item} for path, item in OURS["paths"].items()}
    assert described == routes


def test_every_route_asks_for_credentials_or_is_listed_as_open(
    rig: Rig, routes: dict[str, set[str]]
) -> None:
    client = rig.client
    for path, methods in routes.items():
        for method in methods:
            answer = client.open(re.sub(r"{\w+}", "P1", path), method=method, json={})
            if path in OPEN:
                assert answer.status_code == 200 or path not in FOR_ANYBODY
                assert (answer.get_json(silent=True) or {}).get("code") != "unauthorized"
                continue
            is_nobodys = path.startswith(SIGNED)
            assert answer.status_code == (404 if is_nobodys else 401), path
            assert answer.get_json()["code"] == ("not-found" if is_nobodys else "unauthorized")


# Nobody calls them from outside.
NOT_PROXIED = {"/livez", "/readyz", "/openapi.yaml"}


@pytest.mark.parametrize("proxy", ["nginx", "caddyfile", "haproxy"])
def test_the_proxies_of_the_documents_let_every_route_in(
    routes: dict[str, set[str]], proxy: str
) -> None:
    [server] = re.findall(rf"```{proxy}\n(.*?)```", read("docs/running.md"), re.DOTALL)
    rooms = {path.split("/")[1] for path in routes if path not in NOT_PROXIED}
    assert {"payments", "authorization", "pages"} <= rooms
    assert [] == [room for room in {*rooms, "console"} if not re.search(rf"\W{room}\W", server)]


def test_no_answer_may_be_kept_or_taken_for_another_kind(
    rig: Rig, routes: dict[str, set[str]]
) -> None:
    client = rig.client
    for path in [*routes, "/nowhere"]:
        for method in ("GET", "POST", "PUT", "OPTIONS"):
            answer = client.open(re.sub(r"{\w+}", "P1", path), method=method)
            told = answer.headers
            assert told.get_all("Cache-Control") == ["no-store"], path
            assert told.get_all("X-Content-Type-Options") == ["nosniff"], path


def test_openapi_yaml_says_which_routes_are_open() -> None:
    assert FOR_ANYBODY <= OPEN
    assert [] == [path for path in OPEN if path.startswith(("/payments", "/webhooks"))]
    signed = {
        path
        for path, item in OURS["paths"].items()
        if item.get("post", {}).get("security") == [{"companySignature": []}]
    }
    assert signed == {path for path in OURS["paths"] if path.startswith(SIGNED)}


def test_what_is_for_anybody_takes_nothing() -> None:
    for path in FOR_ANYBODY:
        assert ["get"] == list(OURS["paths"][path])
        assert not {"requestBody", "parameters"} & set(OURS["paths"][path]["get"])


def test_openapi_yaml_tells_what_is_answered_to_a_request_that_cannot_be_read() -> None:
    posts = [path["post"] for path in OURS["paths"].values() if "post" in path]
    assert len(posts) > 0
    assert [] == [post["operationId"] for post in posts if "4XX" not in post["responses"]]


def test_openapi_yaml_is_valid() -> None:
    validate(OURS)


def test_the_server_gives_this_openapi_yaml(rig: Rig) -> None:
    answer = rig.client.get("/openapi.yaml")
    assert (ROOT / "openapi.yaml").read_bytes() == answer.data


def test_openapi_yaml_has_the_version_of_the_package() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert project["version"] == OURS["info"]["version"]


# Codes and errors.


def error_classes() -> list[type[ConnectorError]]:
    classes = [one for one in vars(errors).values() if inspect.isclass(one)]
    return [one for one in classes if issubclass(one, ConnectorError)]


def codes_of_a_cancellation() -> set[str | None]:
    """The codes of the errors, and those that an outcome is given by name."""
    written = {
        node.value
        for path in SOURCES
        if relative(path).startswith(("connector/operations/", "connector/domain/"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and re.fullmatch(r"cancel-[a-z]+", str(node.value))
    }
    return {one.code for one in error_classes()} | written | {None}


def test_the_codes_in_openapi_yaml_are_those_of_the_code() -> None:
    enum = OURS["components"]["schemas"]["CancellationAnswer"]["properties"]["code"]["enum"]
    assert len(enum) == len(set(enum))
    assert set(enum) == codes_of_a_cancellation()


# Words that are written as codes are, and are none.
NO_CODES = {
    *("test-suite", "unknown-key", "wrong-token", "not-stored"),  # reasons, in the log
    *("asked-refund", "called-back", "rotate-token"),  # kept with a write, a step, a change
    *("fields-differ", "secrets-ignored"),  # kinds of warnings, which are written as sentences
    *("no-store", "vtex-connector"),  # HTTP headers
    "verify-full",  # PostgreSQL's
}
# What a provider's module writes so are the company's words; the others speak to people.
WITHOUT_CODES = (
    *("connector/providers/", "connector/cli/", "connector/rehearsal/"),
    *("connector/pages/", "connector/console/"),
)


def all_error_codes(kind: type[ConnectorError] = ConnectorError) -> set[str]:
    """The code of an error and of all that inherit it, in whatever module they are."""
    return {kind.code}.union(*map(all_error_codes, kind.__subclasses__()))


def words_like_codes() -> set[str]:
    """Every string of the code that is written as a code is: small words joined by hyphens."""
    return {
        node.value
        for path in SOURCES
        if not relative(path).startswith(WITHOUT_CODES) and "migrations" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and re.fullmatch(r"[a-z]+(-[a-z]+)+", str(node.value))
    }


def test_the_reference_explains_every_code() -> None:
    text, words = read(REFERENCE), words_like_codes()
    assert words >= NO_CODES
    codes = (words - NO_CODES) | all_error_codes()
    assert [] == sorted(code for code in codes if f"`{code}`" not in text)


@pytest.mark.parametrize("kind", error_classes())
def test_an_error_has_a_docstring_of_its_own(kind: type[ConnectorError]) -> None:
    assert (kind.__doc__ or "").strip()
    parent = kind.__mro__[1]
    assert kind.__doc__ != parent.__doc__


# Settings and providers.


def table_rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def test_the_references_table_has_every_variable_once_and_no_other() -> None:
    first = [re.findall(r"`(CONNECTOR_\w+)`", row[0]) for row in table_rows(read(REFERENCE))]
    named = [name for names in first for name in names]
    assert len(named) == len(set(named))
    assert set(named) == config.variables(PROVIDERS)


def test_every_variable_that_is_named_anywhere_exists() -> None:
    texts = {path: path.read_text() for path in ROOT.glob("docs/**/*.md")}
    texts |= {ROOT / name: read(name) for name in ("README.md", "compose.yaml", "Dockerfile")}
    known = config.variables(PROVIDERS)
    unknown = {
        (relative(path), name)
        for path, text in texts.items()
        for name in re.findall(r"\bCONNECTOR_[A-Z_]+[A-Z]\b", text)
        if name not in known and f"{name}_*" not in text
    }
    assert set() == unknown


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_every_provider_is_in_the_reference_and_the_documents(name: str) -> None:
    assert f"`{name}`" in read(REFERENCE)
    text = documents()
    assert name in text or PROVIDERS[name].title in text


# The sandbox is no company: it is at no host, and its module makes no call.
OF_COMPANIES = [name for name in PROVIDERS if name != "sandbox"]


@pytest.mark.parametrize("name", OF_COMPANIES)
def test_every_company_is_in_the_tables_for_people(name: str) -> None:
    provider = PROVIDERS[name]
    rows = table_rows(read("docs/running.md"))
    hosts, notifications = [row for row in rows if row[0] == f"`{name}`"]
    assert urlsplit(provider.url).netloc in hosts[1]
    assert all(notifications)
    for page in (REFERENCE, "docs/adding-a-provider.md"):
        heads = [row[1:] for row in table_rows(read(page)) if row[0] in {"", "At the company"}]
        assert any(provider.title in head for head in heads)


@pytest.mark.parametrize("provider", list(PROVIDERS.values()))
def test_the_reference_names_every_setting_of_a_provider(provider: type[Provider]) -> None:
    rows = [row for row in table_rows(read(REFERENCE)) if f"`{provider.name}`" in row[0]]
    named = {key for row in rows for cell in row[1:] for key in re.findall(r"`(\w+)`", cell)}
    assert {setting.key for setting in provider.settings} <= named


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_every_provider_has_a_folder_of_tests(name: str) -> None:
    if name != "sandbox":
        assert (ROOT / "tests" / "providers" / name / f"test_{name}.py").exists()


def commands_of(group: click.Group, before: str = "connector") -> list[str]:
    found = []
    for name, one in group.commands.items():
        whole = f"{before} {name}"
        found += commands_of(one, whole) if isinstance(one, click.Group) else [whole]
    return found


def test_every_command_is_in_the_reference() -> None:
    text = read(REFERENCE)
    commands = commands_of(main)
    assert "connector operations show" in commands
    assert [] == [command for command in commands if f"| `{command}" not in text]


def test_the_decisions_are_numbered_without_gaps_and_a_link_says_the_number_it_leads_to() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for number, page in enumerate(pages, start=1):
        text = page.read_text()
        assert text.startswith(f"# {number}. ")
        for said, led in re.findall(r"\[(?:[Dd]ecision |ADR )?(\d+)\]\((\d{4})-", text):
            assert int(said) == int(led), page.name


def test_the_readme_is_for_the_newcomer() -> None:
    """What the server is, how to run and call the server, where the rest is: no reference."""
    text = read("README.md")
    assert len(text.splitlines()) <= 120
    assert [] == [one for one in ("make run", "make test", REFERENCE) if one not in text]


def test_every_link_between_the_documents_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    broken = [
        (relative(page), target)
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert [] == broken


def test_the_changelog_has_each_kind_of_change_once_and_says_nothing_twice() -> None:
    unreleased = read("CHANGELOG.md").split("\n## ")[1]
    kinds = re.findall(r"^### (\w+)$", unreleased, re.MULTILINE)
    assert kinds == [one for one in ("Added", "Changed", "Fixed", "Security") if one in kinds]
    changes = re.findall(r"^- .+$", unreleased, re.MULTILINE)
    assert [] == [change for change in set(changes) if changes.count(change) > 1]


NAMED_TEST = re.compile(r"\b(tests/[\w/]+\.py)::(\w+)")


def names_of_tests(path: Path) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text())) if path.exists() else ()
    return {node.name for node in tree if isinstance(node, ast.FunctionDef)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [ROOT / "docs" / "security.md", ROOT / "SECURITY.md"], ids=relative
)
def test_every_test_that_a_claim_of_security_names_exists(page: Path) -> None:
    named = NAMED_TEST.findall(page.read_text())
    missing = [f"{path}::{name}" for path, name in named if name not in names_of_tests(ROOT / path)]
    assert [] == missing


def test_every_chapter_of_the_standard_has_its_claims_or_says_that_it_does_not_apply() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    chapters = re.split(r"^## V(\d+) ", page, flags=re.MULTILINE)[1:]
    assert list(range(1, 18)) == list(map(int, chapters[::2]))
    assert all("::test_" in text or "Does not apply" in text for text in chapters[1::2])


# The sources.


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_file_is_not_too_long(path: Path) -> None:
    if "migrations" not in path.parts:
        lines = len(path.read_text().splitlines())
        most = LONGER.get(relative(path), MOST_LINES)
        assert lines <= most, f"{relative(path)} has {lines} lines"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_name_says_nothing_or_is_foreign(path: Path) -> None:
    names = set(own_names(ast.parse(path.read_text()))) - ENVIRONMENT - LIBRARIES
    words = {word for name in names for word in re.split(r"_|(?<=[a-z])(?=[A-Z])", name.lower())}
    assert set() == words & (FOREIGN | EMPTY)
    assert set() == {name for name in names if re.match(r"_*(handle|process)_", name)}
    if relative(path) != "connector/vtex/schemas.py":
        assert set() == words & VTEXS


# What a library calls us by: gunicorn's worker, socketserver's server, the parser of HTML.
LIBRARIES = {"handle_error", "process_request"} | {
    f"handle_{part}" for part in ("data", "starttag", "endtag")
}
# Named after a variable of the environment.
ENVIRONMENT = {"data_dir", "handle_error", "handle_request"}
MARSHMALLOW = {"data", "data_key"}


def own_names(tree: ast.AST) -> Iterator[str]:
    """What the module itself names: functions, classes, parameters and variables."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.arg(arg=name) if name not in MARSHMALLOW:
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_module_is_a_lumber_room(path: Path) -> None:
    assert not NO_ROOMS & {path.stem, *path.relative_to(ROOT).parts}


def test_the_words_are_found_where_they_are() -> None:
    tree = ast.parse(
        "def handle_x(upstream, *, a_data=1):\n    info = tid = 1\n    return info.data"
    )
    assert {"handle_x", "upstream", "a_data", "info", "tid"} == set(own_names(tree))


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_a_provider_module_reads_in_the_fixed_order(name: str) -> None:
    """Docstring, imports, constants with what checks settings, the class, its parsers."""
    tree = ast.parse((ROOT / f"connector/providers/{name}.py").read_text())
    docstring = ast.get_docstring(tree) or ""
    assert len(docstring.splitlines()) >= 3
    kinds = [kind_of(node) for node in tree.body[1:]]
    assert kinds.count("provider") == 1
    at = kinds.index("provider")
    before, after = kinds[:at], kinds[at + 1 :]
    assert {"import", "constant", "function"} >= set(before)
    assert "constant" not in after
    assert "import" not in before[len([kind for kind in before if kind == "import"]) :]
    names = [
        node.name for node in tree.body[1:] if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    assert [] == [one for one in names if not one.startswith("_") and one != class_name(name)]


def kind_of(node: ast.stmt) -> str:
    match node:
        case ast.Import() | ast.ImportFrom():
            return "import"
        case ast.Assign() | ast.AnnAssign():
            return "constant"
        case ast.FunctionDef():
            return "function"
        case ast.ClassDef(bases=bases) if "Provider" in {getattr(base, "id", "") for base in bases}:
            return "provider"
        case ast.ClassDef():
            return "class"
    return type(node).__name__


def class_name(name: str) -> str:
    return PROVIDERS[name].__name__


VERBS = ["look", "memo", "create", "cancel", "settle", "refund"]
VERBS += ["may_refund", "read_notification", "probe"]


@pytest.mark.parametrize("provider", list(PROVIDERS.values()))
def test_a_providers_verbs_come_first_and_in_one_order(provider: type[Provider]) -> None:
    methods = [name for name, member in vars(provider).items() if inspect.isfunction(member)]
    public = [name for name in methods if not name.startswith("_")]
    assert [verb for verb in VERBS if verb in public] == public
    private = [name for name in methods if name.startswith("_") and name != "__init__"]
    assert methods == [*[name for name in methods if name == "__init__"], *public, *private]


# By verb: the private functions of a module.
BUILDERS_AND_PARSERS = {
    "look": {"_content_from", "_look_from"},
    "create": {"_create_body", "_create_result_from"},
    "read_notification": {"_notification_from"},
}


@pytest.mark.parametrize("name", OF_COMPANIES)
def test_the_private_parts_have_the_same_names_in_every_provider(name: str) -> None:
    members = vars(PROVIDERS[name])
    expected = {
        part
        for verb in BUILDERS_AND_PARSERS.keys() & members
        for part in BUILDERS_AND_PARSERS[verb]
    }
    tree = ast.parse(read(f"connector/providers/{name}.py"))
    assert set() == expected - {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }
    assert "_call" in members


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_a_provider_never_sleeps_and_never_reads_the_environment(name: str) -> None:
    source = read(f"connector/providers/{name}.py")
    for forbidden in (r"\bsleep\(", r"\bos\.", r"environ", r"\bimport requests", r"\bflask\b"):
        assert not re.search(forbidden, source), forbidden


# The server.


@pytest.fixture
def gunicorn() -> dict[str, Any]:
    return server.gunicorn_settings("127.0.0.1:1", 2, 64)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("reuse_port", True),
        ("control_socket_disable", True),
        ("bind", "127.0.0.1:1"),
        ("workers", 2),
        ("worker_class", "connector.server.worker.Worker"),
    ],
)
def test_the_server_is_set_as_it_must_be(
    gunicorn: dict[str, Any], name: str, expected: object
) -> None:
    assert expected == gunicorn[name]


def test_the_servers_times_fit_an_answers(gunicorn: dict[str, Any]) -> None:
    assert gunicorn["graceful_timeout"] > config.MAX_ANSWER_SECONDS
    # Load balancers keep an idle connection for 60 seconds.
    assert gunicorn["keepalive"] > 60
    assert gunicorn["threads"] >= 64


def test_every_setting_of_the_server_has_a_reason() -> None:
    source = inspect.getsource(server).split("_SETTINGS: ", 1)[1].split("class Server", 1)[0]
    lines = [line.strip() for line in source.splitlines()]
    before = {line: lines[index - 1] for index, line in enumerate(lines)}
    settings = [line for line in lines if re.match(r'"\w+": ', line)]
    clear = re.compile(r'"(bind|workers|worker_class)": |"\w+": _')
    bare = [line for line in settings if not before[line].startswith("#")]
    assert len(settings) > 15
    assert [] == [line for line in bare if not clear.match(line)]


# What is installed and shipped.


def test_the_licence_is_whole_and_named_where_a_tool_looks_for_it() -> None:
    text, project = read("LICENSE"), tomllib.loads(read("pyproject.toml"))["project"]
    assert ("Apache-2.0", ["LICENSE"]) == (project["license"], project["license-files"])
    assert "Apache-2.0" == OURS["info"]["license"]["name"]
    assert text.strip().startswith("Apache License\n")
    assert [f"   {number}. " in text for number in range(1, 10)] == [True] * 9
    assert "END OF TERMS AND CONDITIONS" in text
    assert "LICENSE" in re.findall(r"^COPY (.+)$", read("Dockerfile"), re.MULTILINE)[1].split()


def test_a_fault_can_be_told_privately_and_no_address_is_made_up() -> None:
    text = read("SECURITY.md")
    assert "Report a vulnerability" in text
    assert not re.search(r"[\w.]+@[\w.]+", text)
    assert "(SECURITY.md)" in read("README.md")


LOCK_FILES = sorted(path.name for path in ROOT.glob("requirements*.txt"))


@pytest.mark.parametrize("name", LOCK_FILES)
def test_every_requirement_is_pinned_with_hashes_and_has_no_url(name: str) -> None:
    text = read(name)
    assert "://" not in text
    options = r"^\s*(-e|--(index-url|extra-index-url|find-links|trusted))"
    assert not re.search(options, text, re.MULTILINE)
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n" + text)[1:]
    assert len(entries) > 5
    loose = [
        entry.split("\n")[0]
        for entry in entries
        if not re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==[\w.!+]+", entry)
        or not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)
    ]
    assert [] == loose


def test_every_package_of_npm_is_pinned_with_a_hash_and_has_no_url() -> None:
    asked = json.loads(read("tests/browser/package.json"))["dependencies"]
    text = read("tests/browser/package-lock.json")
    packages = json.loads(text)["packages"]
    assert "://" not in text
    assert "resolved" not in text
    assert packages.pop("")["dependencies"] == asked
    assert {f"node_modules/{name}" for name in asked} <= set(packages)
    assert all(one["integrity"].startswith("sha512-") for one in packages.values())


def test_the_tests_use_what_is_shipped() -> None:
    shipped, tested = (
        dict(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)", read(name), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert shipped.items() <= tested.items()


def test_nothing_that_runs_is_there_to_build_or_to_audit() -> None:
    assert ["audit", "build", "dev"] == [name[13:-4] for name in LOCK_FILES if "-" in name]
    running = {
        entry.split("==")[0] for entry in read("requirements.txt").split("\n") if "==" in entry
    }
    assert {"flask", "gunicorn"} <= running
    assert set() == running & {"hatchling", "setuptools", "pip", "pip-audit", "cyclonedx-bom"}
    assert "hatchling" not in read("Dockerfile")


def test_the_images_have_digests() -> None:
    bases = re.findall(r"^FROM (\S+)", read("Dockerfile"), re.MULTILINE)
    assert ["${BASE_IMAGE}"] * 2 == bases
    pinned = r"[a-z]+:[0-9.]+[a-z-]*@sha256:[0-9a-f]{64}"
    (base,) = re.findall(rf"^ARG BASE_IMAGE=({pinned})$", read("Dockerfile"), re.MULTILINE)
    compose = yaml.safe_load(read("compose.yaml"))
    assert f"${{BASE_IMAGE:-{base}}}" == compose["x-connector"]["build"]["args"]["BASE_IMAGE"]
    image = compose["services"]["postgres"]["image"]
    assert re.fullmatch(rf"\$\{{POSTGRES_IMAGE:-{pinned}\}}", image)


def test_the_container_is_given_what_its_build_copies() -> None:
    shown = {line[1:].rstrip("/") for line in read(".dockerignore").split("\n") if line[:1] == "!"}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", read("Dockerfile"), re.MULTILINE)
    assert shown == {name for names in copied for name in names.split()}


def test_the_container_does_not_run_as_root() -> None:
    last_stage = read("Dockerfile").rsplit("\nFROM ", 1)[1]
    (user,) = re.findall(r"^USER (\S+)$", last_stage, re.MULTILINE)
    number, _, group = user.partition(":")
    assert int(number) > 0
    assert int(group) > 0
    after = last_stage.split("USER ", 1)[1]
    assert not re.search(r"^(RUN|COPY|ADD) ", after, re.MULTILINE)


@pytest.mark.parametrize("name", ["Dockerfile", "Makefile"])
def test_what_is_installed_is_what_the_lock_files_say(name: str) -> None:
    """Nothing is resolved again: a release that came after the lock would be met, and stop it."""
    installs = re.findall(r"pip install [^\n&]*", read(name))
    assert installs
    for command in installs:
        is_pinned = "--require-hashes" in command or command.rstrip(" \\").endswith(" .")
        assert "$(UV)" in command or (is_pinned and "--no-deps" in command), command


MACHINES: list[tuple[str, Callable[[str], bool]]] = [
    ("a home directory", lambda text: bool(re.search(r"/(root|home|Users)/\w+", text))),
    ("this checkout's place", lambda text: str(ROOT) + "/" in text or f'"{ROOT}"' in text),
    ("a folder of a build", lambda text: "/tmp/pip-" in text or "site-packages/" in text),  # noqa: S108
]


@pytest.mark.slow
@pytest.mark.parametrize(("what", "has"), MACHINES)
def test_nothing_tracked_names_a_place_of_one_machine(
    what: str, has: Callable[[str], bool]
) -> None:
    own = Path(__file__)
    texts = {
        path: path.read_text(errors="ignore")
        for path in tracked()
        if path != own and path.suffix not in {".png", ".svg"}
    }
    assert len(texts) > 50
    assert [] == [relative(path) for path, text in texts.items() if has(text)], what


@pytest.mark.slow
def test_no_secret_is_tracked() -> None:
    names = [relative(path) for path in tracked()]
    assert [] == [
        name for name in names if re.search(r"(\.env|\.key|\.db|\.pem|demo\.json)$", name)
    ]


def test_every_module_can_be_imported_alone() -> None:
    for path in SOURCES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] != "__main__" and "migrations" not in parts:
            assert importlib.import_module(".".join(parts).removesuffix(".__init__"))

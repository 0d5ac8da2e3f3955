"""What the documents name is there: files, functions, modules and the order of their imports."""

import re
import tomllib
from pathlib import Path

import pytest

from connector.provider import Provider

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "adding-a-provider.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
# A decision names what there was on its day.
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = (ROOT, *(ROOT / name for name in ("connector", "docs", "tests")))
FILES = {
    path.relative_to(ROOT).as_posix()
    for folder in FOLDERS
    for path in (folder.glob("*") if folder == ROOT else folder.rglob("*"))
}
# Of a picture, so that a clone stays small.
MOST_BYTES = 150_000
# A name with one of these is no file: `connector/providers/<name>.py`, `NNNN-what.md`.
PLACEHOLDER = re.compile(r"[<>*]|NNNN")
# Of an address, not of the repository; and what another program reads.
ELSEWHERE = {"/openapi.yaml", "openapi.json"}


def files_named(text: str) -> set[str]:
    """Return the files of code, of documents and of settings that stand in code font."""
    words = re.findall(r"`([^`\s]+\.(?:py|md|yaml|toml))`", text)
    return {word for word in words if not PLACEHOLDER.search(word)} - ELSEWHERE


def is_there(name: str) -> bool:
    return any(path == name or path.endswith(f"/{name}") for path in FILES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    assert [name for name in sorted(files_named(page.read_text())) if not is_there(name)] == []


def rows_of(heading: str, page: str = ARCHITECTURE) -> list[list[str]]:
    """Return what stands in code font in the first column of the table with this heading."""
    table = page.partition(heading)[2].partition("\n\n")[0].splitlines()[2:]
    return [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in table]


def pictures_of(page: Path) -> list[Path]:
    return [page.parent / name for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text())]


def test_the_pictures_that_the_pages_show_are_there_and_small() -> None:
    shown = [picture for page in PAGES for picture in pictures_of(page)]
    assert len(shown) == 6
    assert [] == [picture for picture in shown if picture.stat().st_size > MOST_BYTES]
    kept = set(
        re.findall(r"^!(docs/pictures/.+)$", (ROOT / ".gitignore").read_text(), re.MULTILINE)
    )
    assert kept == {picture.relative_to(ROOT).as_posix() for picture in shown}


def test_every_function_on_the_way_of_a_request_is_there() -> None:
    rows = [row for row in rows_of("| Function | Does |") if row[0].endswith(".py")]
    assert len(rows) > 5
    for file, function in rows:
        assert f"def {function}(" in (ROOT / "connector" / file).read_text(), file


def test_the_modules_stand_in_the_order_of_their_imports() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    depths = {module: depth for depth, layer in enumerate(layers) for module in layer.split(" | ")}
    listed = [module for row in rows_of("| Module | Is |") for module in row]
    assert sorted(listed) == sorted(depths)
    assert [depths[module] for module in listed] == sorted(depths[module] for module in listed)


def test_the_guide_has_every_attribute_of_a_provider() -> None:
    listed = [name for row in rows_of("| Attribute | Default | Means |", GUIDE) for name in row]
    declared = [name for name in Provider.__annotations__ if not name.startswith("_")]
    assert sorted(listed) == sorted(declared)


def test_the_guide_has_every_verb_of_a_provider() -> None:
    rows = rows_of("| Verb | Returns | Must |", GUIDE)
    listed = [name.partition("(")[0] for row in rows for name in row]
    # The others are for whoever calls a provider.
    for_callers = {"slot", "has_room", "missing", "check_settings", "faults", "account_key"}
    offered = {name for name in vars(Provider) if not name.startswith("_") and name.islower()}
    verbs = {name for name in offered if callable(getattr(Provider, name))} - for_callers
    assert sorted(listed) == sorted(verbs)

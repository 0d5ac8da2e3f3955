"""Two contracts, ours and VTEX's own, to hold answers against."""

import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from connector.keyless.document import openapi_document

OURS: dict[str, Any] = yaml.safe_load(openapi_document())
_FILE = Path(__file__).parents[3] / "shared" / "reference" / "vtex-openapi.json"
# None where VTEX's file is not at hand.
VTEX_CONTRACT: Any = json.loads(_FILE.read_text()) if _FILE.exists() else None


def schema_of(document: dict[str, Any], described: Any) -> Any:
    """Make JSON Schema of OpenAPI 3.0's: references put in, `nullable` spelled out."""
    if isinstance(described, list):
        return [schema_of(document, item) for item in described]
    if not isinstance(described, dict):
        return described
    if "$ref" in described:
        return schema_of(document, find(document, described["$ref"]))
    schema = {key: schema_of(document, value) for key, value in described.items()}
    if schema.pop("nullable", False):
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


def find(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def faults(document: dict[str, Any], described: Any, value: Any) -> list[str]:
    schema = schema_of(document, described)
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema).iter_errors(value)]


def answer_of(document: dict[str, Any], path: str, status: int | str, method: str = "post") -> Any:
    described = document["paths"][path][method]["responses"][str(status)]
    if "$ref" in described:
        described = find(document, described["$ref"])
    return described["content"]["application/json"]["schema"]

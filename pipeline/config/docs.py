"""Generates the JSON schema for editors, the config reference, and the pages of sources and limits.

``python -m pipeline.config.docs`` rewrites all of them; a test fails when they drift.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.config.docs_sources import limits_page, sources_page
from pipeline.config.emodel import EModel
from pipeline.config.quantity import units_table
from pipeline.config.schema import Model
from pipeline.runtime import write_text

_HEAD = """# Configuration reference

Generated from `pipeline/config/schema.py` by `make docs`; do not edit. A quantity is a number in the
canonical unit or text with a unit (`"0.025 ms"`); any number may be `{value, source, note}`. A variant
file has `extends`, `name`, `set` (dotted paths to values) and `remove` (dotted paths).

Units: %s.
"""


def json_schema(model: type[BaseModel]) -> str:
    """Returns the JSON schema of a config file as text with sorted keys."""
    return json.dumps(model.model_json_schema(by_alias=True), indent=1, sort_keys=True) + "\n"


def reference_page() -> str:
    """Returns the config reference as Markdown, one table per section."""
    units = "; ".join(f"{unit} ({', '.join(names)})" for unit, names in units_table().items())
    parts = [_HEAD % units]
    for title, model in (("model.yaml", Model), ("emodels/*.yaml", EModel)):
        schema = model.model_json_schema(by_alias=True)
        parts.append(_section(title, schema))
        for name, definition in sorted(schema.get("$defs", {}).items()):
            parts.append(_section(name, definition))
    return "\n".join(parts)


def _section(title: str, schema: dict[str, Any]) -> str:
    lines = [f"## {title}", "", schema.get("description", ""), ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    required = set(schema.get("required", []))
    for key, entry in schema.get("properties", {}).items():
        default = "required" if key in required else f"`{json.dumps(entry.get('default'))}`"
        meaning = entry.get("description", "")
        lines.append(f"| `{key}` | {_type(entry)} | {default} | {_cell(meaning)} |")
    return "\n".join([*lines, ""])


def _type(entry: dict[str, Any]) -> str:
    if "unit" in entry:
        return _cell(f"quantity, {entry['unit']}")
    if "$ref" in entry:
        name = entry["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "const" in entry:
        return f"`{entry['const']}`"
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    for union in ("anyOf", "oneOf"):
        if union in entry:
            return " or ".join(_type(option) for option in entry[union])
    if entry.get("type") == "array":
        return f"list of {_type(entry.get('items', {}))}"
    if entry.get("type") == "object":
        patterns = list(entry.get("patternProperties", {}).values())
        return f"map to {_type(entry.get('additionalProperties') or (patterns or [{}])[0])}"
    return str(entry.get("type", "any"))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def generated_files() -> dict[str, str]:
    """Returns path below the repository to content of every generated file."""
    root = Path(__file__).resolve().parents[2]
    return {
        "docs/configuration.md": reference_page(),
        "docs/schema/model.schema.json": json_schema(Model),
        "docs/schema/emodel.schema.json": json_schema(EModel),
        "docs/sources.md": sources_page(root),
        "docs/limits.md": limits_page(root),
    }


def main() -> None:
    """Rewrites the generated files of this checkout."""
    root = Path(__file__).resolve().parents[2]
    for name, text in generated_files().items():
        write_text(root / name, text)


if __name__ == "__main__":
    main()

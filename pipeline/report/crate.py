"""An RO-Crate (1.1) of a circuit: what each file is, where it comes from, its size and checksum.

The vocabulary is that of https://w3id.org/ro/crate/1.1; ``sha256`` is a term of Workflow Run Crate.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.config.load import Resolved
from pipeline.errors import CircuitError, Problem
from pipeline.runtime import atomic_path, file_hash, progress, write_json, write_text
from pipeline.sonata.layout import CircuitPaths

METADATA = "ro-crate-metadata.json"
PROFILE = "https://w3id.org/ro/crate/1.1"
CONTEXT = [f"{PROFILE}/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]
_FORMATS = {
    ".h5": "application/x-hdf5", ".json": "application/json", ".csv": "text/csv",
    ".html": "text/html", ".yaml": "application/yaml", ".swc": "text/plain", ".log": "text/plain",
    ".tsv": "text/tab-separated-values", ".npz": "application/zip",
}  # fmt: skip
_SKIPPED = ("checkpoint",)
"""Folders of a run that is not over."""


def run_crate(resolved: Resolved, paths: CircuitPaths) -> Path:
    """Writes ``ro-crate-metadata.json`` into the circuit's folder, and the config files beside it.

    Args:
        resolved: The model.
        paths: The circuit; its report exists.

    Returns:
        The metadata file; it is written last, so it names whole files only.

    Raises:
        CircuitError: If there is no report yet.
    """
    if not paths.provenance.is_file():
        hint = f"run 'sonatina run {resolved.model.name} {resolved.model.variant}' first"
        raise CircuitError(Problem(str(paths.provenance), "no report yet", hint))
    config = []
    for file in resolved.files:
        below = file.is_relative_to(resolved.folder)
        target = paths.root / "config" / (file.relative_to(resolved.folder) if below else file.name)
        write_text(target, file.read_text(encoding="utf-8"))
        config.append(target.relative_to(paths.root).as_posix())
    origin = json.loads(paths.provenance.read_text(encoding="utf-8"))
    files = [describe(paths.root, name) for name in progress(_listed(paths.root), label="files")]
    write_json(paths.root / METADATA, graph(resolved, origin, files, config))
    return paths.root / METADATA


def zip_crate(paths: CircuitPaths) -> Path:
    """Packs a described circuit into ``<variant>.crate.zip`` beside its folder; equal files, equal bytes."""
    target = paths.root.with_name(f"{paths.root.name}.crate.zip")
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as packed:
        for name in [METADATA, *_listed(paths.root)]:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with packed.open(entry, "w", force_zip64=True) as into:
                with open(paths.root / name, "rb") as content:
                    while block := content.read(1 << 20):
                        into.write(block)
    return target


def graph(
    resolved: Resolved, origin: dict[str, Any], files: list[dict[str, Any]], config: list[str]
) -> dict[str, Any]:
    """Returns the crate's metadata.

    Args:
        resolved: The model.
        origin: Content of ``provenance.json``.
        files: Entities of all files, see ``describe``.
        config: Which of the files are the config.
    """
    model = resolved.model
    about = [{"@id": quote(name)} for name in config]
    results = [{"@id": f["@id"]} for f in files if {"@id": f["@id"]} not in about]
    tools = {
        name: text
        for name, text in origin["versions"].items()
        if name != "system" and text != "not installed"
    }
    cited = [_article(text) for text in model.cite]
    root = {
        "@id": "./", "@type": "Dataset", "name": f"{model.title or model.name}, {model.variant}",
        "description": " ".join(model.description.split()) or f"Circuit of the model {model.name}.",
        "datePublished": origin["date"], "license": {"@id": "#licence"},
        "hasPart": [{"@id": f["@id"]} for f in files], "mentions": [{"@id": "#run"}],
        "citation": [{"@id": article["@id"]} for article in cited],
    }  # fmt: skip
    run = {
        "@id": "#run", "@type": "CreateAction", "name": origin["command"],
        "endTime": origin["date"], "instrument": {"@id": "#sonatina"},
        "object": about, "result": results,
    }  # fmt: skip
    software = {
        "@id": "#sonatina", "@type": "SoftwareApplication", "name": "Sonatina",
        "version": origin["commit"] or "unknown",
        "softwareRequirements": [{"@id": f"#{name}"} for name in tools],
    }  # fmt: skip
    licence = {"@id": "#licence", "@type": "CreativeWork", "name": model.licence or "not stated"}
    head = {
        "@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"},
        "conformsTo": {"@id": PROFILE},
    }  # fmt: skip
    needs = [
        {"@id": f"#{name}", "@type": "SoftwareApplication", "name": name, "version": text}
        for name, text in tools.items()
    ]
    return {
        "@context": CONTEXT,
        "@graph": [head, root, licence, run, software, *needs, *cited, *files],
    }


def describe(root: Path, name: str) -> dict[str, Any]:
    """Returns the entity of one file: kind, size in bytes, sha256."""
    path = root / name
    entity = {
        "@id": quote(name), "@type": "File", "name": path.name,
        "contentSize": str(path.stat().st_size), "sha256": file_hash(path),
    }  # fmt: skip
    kind = _FORMATS.get(path.suffix.lower())
    return entity | ({"encodingFormat": kind} if kind else {})


def _listed(root: Path) -> list[str]:
    """Files of the circuit below its folder, sorted; hidden and temporary ones are left out."""
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    names = [p.as_posix() for p in found if not any(part.startswith(".") for part in p.parts)]
    return sorted(n for n in names if n != METADATA and not set(n.split("/")) & set(_SKIPPED))


def _article(text: str) -> dict[str, str]:
    doi = re.search(r"10\.\d{4,9}/\S+?(?=[\s);,]|$)", text)
    name = f"https://doi.org/{doi[0]}" if doi else f"#{quote(text)}"
    return {"@id": name, "@type": "ScholarlyArticle", "name": text}

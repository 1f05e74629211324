"""What every check of a model needs: its names, its files, and the problems found so far."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.places import inside
from pipeline.config.problems import where_is
from pipeline.config.schema import Model, VirtualNodes
from pipeline.config.yaml_lines import Document, KeyPath, nearest
from pipeline.errors import ConfigError, Problem


class Check:
    """Collects problems of one model with the line of each key."""

    def __init__(self, model: Model, folder: Path, document: Document):
        self.model, self.folder, self.document = model, folder, document
        self.problems: list[Problem] = []
        self.node_sets = list(model.nodes)
        self.virtual = [name for name, nodes in model.nodes.items() if is_virtual(nodes)]
        """Populations without a membrane, and, once nodes are checked, their node sets."""

    def report(self, path: KeyPath, message: str, hint: str = "") -> None:
        self.problems.append(Problem(where_is(path, self.document), message, hint))

    def one_of(self, path: KeyPath, name: str, known: list[str], what: str) -> None:
        if name not in known:
            self.report(path, f"no {what} {name!r}", nearest(name, known))

    def file(self, path: KeyPath, relative: str, *, folder: bool = False) -> Path | None:
        try:
            found = inside(self.folder, relative)
        except ConfigError as error:
            problem = error.problems[0]
            self.report(path, problem.message, problem.hint)
            return None
        if not (found.is_dir() if folder else found.is_file()):
            kind = "folder" if folder else "file"
            self.report(path, f"no such {kind}: {relative!r}", f"looked for {found}")
            return None
        return found


def is_virtual(nodes: object) -> bool:
    """Says whether a population has no membrane."""
    kind = getattr(nodes, "model_type", None)
    return isinstance(nodes, VirtualNodes) or kind == "virtual"

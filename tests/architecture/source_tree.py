"""The repository as data: its modules, imports, functions and classes, read from the text and never imported."""

from __future__ import annotations

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final, Literal

ROOT: Final = Path(__file__).resolve().parents[2]
PRODUCT: Final = "somnus_plugins"
SOURCE: Final = ROOT / "src" / PRODUCT

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
ImportKind = Literal["load", "lazy", "typing"]

BRANCHES: Final = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.Assert, ast.match_case)
BROAD: Final = frozenset({"", "Exception", "BaseException"})


@dataclass(frozen=True)
class Import:
    """One name that a module imports.

    `kind` says when: "load" with the module, "lazy" when a function runs, "typing" only for the type checker.
    """

    importer: str
    target: str
    kind: ImportKind
    line: int


@dataclass(frozen=True)
class Function:
    """One function or method; overloads and bodies of a lone `...` are left out."""

    where: str
    name: str
    lines: int
    """From `def` to the last line, docstring included."""
    branches: int
    """One, and one more for each place where the path divides, those of inner functions included."""
    public: bool
    typed: bool
    documented: bool


@dataclass(frozen=True)
class Class:
    """One class and the number of its own methods."""

    where: str
    name: str
    bases: tuple[str, ...]
    methods: int


@dataclass(frozen=True)
class Call:
    """One call and its positional arguments as they are written."""

    where: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Comment:
    """A comment without its `#`, and where it stands."""

    where: str
    text: str
    above: str
    """The comment of the line before, or empty."""


@dataclass(frozen=True)
class Module:
    """One Python file, `name` dotted from the folder that holds the top package."""

    name: str
    path: Path
    is_package: bool = False

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @cached_property
    def shown(self) -> str:
        return str(self.path.relative_to(ROOT)) if self.path.is_relative_to(ROOT) else self.path.name

    def place(self, node: ast.AST) -> str:
        return f"{self.shown}:{getattr(node, 'lineno', 1)}"

    @cached_property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def code_lines(self) -> int:
        """Lines that hold something other than a comment, a docstring or nothing."""
        quiet = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.COMMENT}
        held = {n for t in self.tokens if t.type not in quiet for n in range(t.start[0], t.end[0] + 1)}
        return len(held - set(self._text_lines()))

    def _text_lines(self) -> Iterator[int]:
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)

    @cached_property
    def tokens(self) -> tuple[tokenize.TokenInfo, ...]:
        return tuple(tokenize.generate_tokens(io.StringIO(self.text).readline))

    @cached_property
    def comments(self) -> tuple[Comment, ...]:
        found = {t.start[0]: t.string.lstrip("#").strip() for t in self.tokens if t.type == tokenize.COMMENT}
        return tuple(Comment(f"{self.shown}:{line}", text, found.get(line - 1, "")) for line, text in found.items())

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(self._imports(self.tree.body, "load"))

    def _imports(self, nodes: Iterable[ast.AST], kind: ImportKind) -> Iterator[Import]:
        for node in nodes:
            match node:
                case ast.Import(names=names):
                    yield from (Import(self.name, each.name, kind, node.lineno) for each in names)
                case ast.ImportFrom(names=names):
                    origin = self._origin(node)
                    yield from (Import(self.name, f"{origin}.{each.name}", kind, node.lineno) for each in names)
                case ast.If(test=test) if "TYPE_CHECKING" in ast.unparse(test):
                    yield from self._imports(node.body, "typing")
                    yield from self._imports(node.orelse, kind)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                    yield from self._imports(ast.iter_child_nodes(node), "typing" if kind == "typing" else "lazy")
                case _:
                    yield from self._imports(ast.iter_child_nodes(node), kind)

    def _origin(self, node: ast.ImportFrom) -> str:
        """The module that a `from … import` names, relative ones made absolute."""
        if not node.level:
            return node.module or ""
        package = self.name.split(".")
        package = package[: len(package) - node.level + self.is_package]
        return ".".join([*package, *filter(None, [node.module])])

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        return tuple(self._functions(self.tree, public=True))

    def _functions(self, parent: ast.AST, *, public: bool) -> Iterator[Function]:
        for node in ast.iter_child_nodes(parent):
            name = node.name if isinstance(node, FunctionNode | ast.ClassDef) else ""
            visible = public and not name.startswith("_")
            if isinstance(node, FunctionNode) and not _is_stub(node):
                yield self._function(node, public=visible)
            yield from self._functions(node, public=visible and not isinstance(node, FunctionNode))

    def _function(self, node: FunctionNode, *, public: bool) -> Function:
        return Function(
            where=self.place(node),
            name=node.name,
            lines=(node.end_lineno or node.lineno) - node.lineno + 1,
            branches=_branches(node),
            public=public,
            typed=node.returns is not None and all(each.annotation for each in _parameters(node)),
            documented=ast.get_docstring(node) is not None,
        )

    @cached_property
    def classes(self) -> tuple[Class, ...]:
        return tuple(
            Class(
                where=self.place(node),
                name=node.name,
                bases=tuple(ast.unparse(base).split("[")[0].rpartition(".")[2] for base in node.bases),
                methods=sum(isinstance(each, FunctionNode) and not _is_stub(each) for each in node.body),
            )
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ClassDef)
        )

    @cached_property
    def swallowed(self) -> tuple[str, ...]:
        """Where everything is caught and nothing raised again."""
        return tuple(
            self.place(node)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ExceptHandler)
            and _caught(node) & BROAD
            and not any(isinstance(each, ast.Raise) for each in ast.walk(node))
        )

    @cached_property
    def documented(self) -> bool:
        return ast.get_docstring(self.tree) is not None

    def calls(self, name: str) -> tuple[Call, ...]:
        """The calls of a function or method of this name, dotted or not."""
        return tuple(
            Call(self.place(node), tuple(ast.unparse(each) for each in node.args))
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call) and f".{ast.unparse(node.func)}".endswith(f".{name}")
        )


def _caught(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {""}
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(each) for each in names}


def _is_stub(node: FunctionNode) -> bool:
    if any(ast.unparse(each).endswith("overload") for each in node.decorator_list):
        return True
    body = node.body[ast.get_docstring(node) is not None :]
    return len(body) == 1 and ast.unparse(body[0]) == "..."


def _parameters(node: FunctionNode) -> list[ast.arg]:
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if named and named[0].arg in {"self", "cls", "mcs"}:
        named = named[1:]
    return [*named, *filter(None, [arguments.vararg, arguments.kwarg])]


def _branches(node: FunctionNode) -> int:
    total = 1
    for each in ast.walk(node):
        total += isinstance(each, BRANCHES)
        total += len(each.values) - 1 if isinstance(each, ast.BoolOp) else 0
        total += 1 + len(each.ifs) if isinstance(each, ast.comprehension) else 0
    return total


def read_package(folder: Path, name: str | None = None) -> Iterator[Module]:
    """Every module of a package: scaffolds and other data that only look like Python lie in folders that are none."""
    name = name or folder.name
    yield Module(name, folder / "__init__.py", is_package=True)
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py" and path.stem != "__init__":
            yield Module(f"{name}.{path.stem}", path)
        elif (path / "__init__.py").is_file() and path.name.isidentifier():
            yield from read_package(path, f"{name}.{path.name}")


@cache
def product() -> tuple[Module, ...]:
    """Every module of the product."""
    return tuple(read_package(SOURCE))


@cache
def suite() -> tuple[Module, ...]:
    """Every module of the tests."""
    return tuple(read_package(ROOT / "tests"))


@cache
def scripts() -> tuple[Module, ...]:
    """Python files that belong to neither: benchmarks, generators, examples."""
    return tuple(
        Module(path.stem, path)
        for path in repository_files()
        if path.suffix == ".py" and path.parts[len(ROOT.parts)] in {"bench", "docs", "examples"}
    )


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that is, or will be, part of the repository: what git tracks and what it does not ignore."""
    # The clone may belong to another user than the one who runs the tests, as in a build server's container.
    git = ["git", "-c", f"safe.directory={ROOT}"]
    listing = subprocess.run(
        [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    names = sorted({*filter(None, listing.stdout.decode().split("\0"))})
    return tuple(path for path in map(ROOT.joinpath, names) if path.is_file())


def import_graph(modules: Iterable[Module], kinds: frozenset[ImportKind]) -> dict[str, set[str]]:
    """Which module of the given ones imports which other, over imports of the given kinds."""
    known = {each.name: each for each in modules}
    graph: dict[str, set[str]] = {name: set() for name in known}
    for module in known.values():
        found = {resolve(each.target, known) for each in module.imports if each.kind in kinds}
        graph[module.name] = {target for target in found if target and target != module.name}
    return graph


def resolve(target: str, known: Mapping[str, Module]) -> str | None:
    """The module that a dotted name stands for: the longest beginning of it that is one."""
    while target and target not in known:
        target = target.rpartition(".")[0]
    return target or None


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other in a circle, each group sorted."""
    reach = {name: _reachable(name, graph) for name in graph}
    knots = {
        tuple(sorted(other for other in reach[name] if name in reach[other])) for name in graph if name in reach[name]
    }
    return [list(knot) for knot in sorted(knots)]


def _reachable(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph[name])
    return found

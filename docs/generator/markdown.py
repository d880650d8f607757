"""Code as Markdown: tables, docstrings, signatures, types."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

__all__ = [
    "anchor",
    "attribute_docs",
    "attribute_types",
    "block",
    "code",
    "fields",
    "flowed",
    "page",
    "prose",
    "signature",
    "summary",
    "table",
    "type_name",
    "value",
]

NOTICE: Final = "<!-- Written by docs/generate.py from the code: change the code, then run `make docs`. -->"
WIDTH: Final = 96
"""Characters of a signature on one line."""
SECTIONS: Final = ("Args", "Returns", "Raises", "Yields")


def page(title: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join([f"# {title}", NOTICE, *(each for each in parts if each)])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars inside a cell are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def block(text: str, language: str = "text") -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```"


def code(text: object) -> str:
    """Text as code; nothing stays nothing."""
    return f"`{text}`" if str(text) else ""


def anchor(heading: str) -> str:
    """The anchor that a renderer makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def flowed(text: str | None) -> str:
    """A docstring as one line."""
    return " ".join(inspect.cleandoc(text or "").split())


def summary(text: str | None) -> str:
    """A docstring up to its first section, as one line."""
    return flowed(re.split(rf"\n\s*(?:{'|'.join(SECTIONS)}):\n", text or "")[0])


def prose(text: str | None) -> str:
    """A docstring as Markdown: its sections become lists."""
    parts: list[str] = []
    for paragraph in re.split(r"\n\n+", inspect.cleandoc(text or "")):
        head, _, body = paragraph.partition(":\n")
        parts.append(f"*{head}*\n\n{_items(body)}" if head in SECTIONS else _kept(paragraph))
    return "\n\n".join(parts)


def _kept(paragraph: str) -> str:
    lines = paragraph.splitlines()
    return block(textwrap.dedent(paragraph), "python") if all(each.startswith("    ") for each in lines) else paragraph


def _items(body: str) -> str:
    found: list[str] = []
    for line in textwrap.dedent(body).splitlines():
        if line.startswith(" ") and found:
            found[-1] += f" {line.strip()}"
        else:
            found.append(line)
    named = (re.fullmatch(r"([\w, *.]+): (.+)", each) for each in found)
    return "\n".join(
        f"- `{match[1]}`: {match[2]}" if match else f"- {each}" for match, each in zip(named, found, strict=True)
    )


# --- classes and records ---------------------------------------------------------------------------------------------


def _attributes(owner: type) -> Iterator[tuple[str, ast.AnnAssign | ast.Assign, str]]:
    """Name, statement and docstring of each attribute, which Python itself does not keep."""
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(body, ast.ClassDef)
    for attribute, following in zip(body.body, [*body.body[1:], None], strict=True):
        match following:
            case ast.Expr(value=ast.Constant(value=str(words))):
                text = flowed(words)
            case _:
                text = ""
        match attribute:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name, attribute, text


def attribute_docs(owner: type) -> dict[str, str]:
    """The docstrings under the attributes of a class; those without one are left out."""
    return {name: text for name, _, text in _attributes(owner) if text}


def attribute_types(owner: type) -> dict[str, str]:
    """The annotations of the attributes of a class, as they are written."""
    found = {name: each for name, each, _ in _attributes(owner) if isinstance(each, ast.AnnAssign)}
    return {name: ast.unparse(each.annotation) for name, each in found.items()}


def fields(record: type[msgspec.Struct]) -> str:
    """The fields of a record as a table, or that it has none."""
    docs = attribute_docs(record)
    rows = [
        (code(each.name), code(type_name(each.type)), _default(each), docs.get(each.name, ""))
        for each in msgspec.structs.fields(record)
    ]
    return table(["field", "type", "default", "meaning"], rows) if rows else "No fields."


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return code(value(field.default_factory()))
    return "" if field.default is msgspec.NODEFAULT else code(value(field.default))


def value(found: Any) -> str:
    """A default as people write it."""
    return "none" if found is None else '""' if found == "" else str(found)


def type_name(kind: Any) -> str:
    """A type in a few words, without the modules it comes from."""
    name = kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)
    return re.sub(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])", "", name).replace("NoneType", "None")


# --- functions -------------------------------------------------------------------------------------------------------


def signature(function: Callable[..., Any], name: str = "") -> str:
    """A function's head as it is written, without `self`; more than a line where it is long."""
    spec = inspect.signature(function)
    own = [each for each in spec.parameters.values() if each.name not in ("self", "cls")]
    keyword = False
    words: list[str] = []
    for each in own:
        if each.kind is each.KEYWORD_ONLY and not keyword:
            keyword = True
            words.append("*")
        keyword = keyword or each.kind is each.VAR_POSITIONAL
        words.append(_parameter(each))
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    head = f"{'async ' if is_async else ''}def {name or function.__name__}"
    end = f" -> {_annotation(spec.return_annotation)}" if spec.return_annotation is not spec.empty else ""
    line = f"{head}({', '.join(words)}){end}"
    return line if len(line) <= WIDTH else f"{head}(\n    {f',{chr(10)}    '.join(words)},\n){end}"


def _parameter(spec: inspect.Parameter) -> str:
    stars: Mapping[Any, str] = {spec.VAR_POSITIONAL: "*", spec.VAR_KEYWORD: "**"}
    text = f"{stars.get(spec.kind, '')}{spec.name}"
    text += f": {_annotation(spec.annotation)}" if spec.annotation is not spec.empty else ""
    return text if spec.default is spec.empty else f"{text} = {spec.default!r}"


def _annotation(found: Any) -> str:
    return found if isinstance(found, str) else type_name(found)

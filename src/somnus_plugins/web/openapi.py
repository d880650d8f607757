"""One OpenAPI document: the application's, the plugins' fragments and the admin API, merged.

Fragments come from `contributions.json`, so they are data that a plugin made: names are put into the plugin's own
namespace, references may lead nowhere but into the fragment itself, and what could send a reader's request to another
server is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from somnus_plugins.host.operations import OPERATIONS
from somnus_plugins.pages.problems import MEDIA_TYPE, PROBLEM_SCHEMA
from somnus_plugins.web.gates import Area, Clearance, Way, ways
from somnus_plugins.web.tools import FORMATS

if TYPE_CHECKING:
    from somnus_plugins.host.catalogue import Catalogue, Listing
    from somnus_plugins.wire.contributions import Tool

__all__ = ["DocumentMerger", "Fragment", "admin_fragment", "plugin_fragment"]

Document = dict[str, Any]
METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
NAME_MAPS: Final = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "responses", "headers", "content"}
    | {"callbacks", "encoding", "links"}
)
"""Keywords whose keys are names that somebody chose: what stands there is no keyword, even where it looks like one."""
DATA: Final = frozenset({"example", "default", "const", "enum"})
"""Keywords whose value is data: a `$ref` in it is text."""
DROPPED: Final = frozenset({"servers", "server", "externalDocs", "operationRef", "xml"})
"""Would lead a reader or a reader's request to another place."""
_COMPONENT: Final = re.compile(r"#/components/([A-Za-z]+)/([^/]+)").fullmatch
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]")
SCHEME: Final = "SomnusToken"
PROBLEM: Final = "SomnusProblem"
OWN_SPACE: Final = "Somnus"
OWN_TAG: Final = "somnus"
DEPTH_MAX: Final = 200
"""How deep a schema may nest; what lies deeper is left out."""


class Fragment(msgspec.Struct, frozen=True):
    """A part of the document."""

    paths: Document
    components: dict[str, Document]
    tag: Document


class _Media(msgspec.Struct):
    schema: Document | bool = {}


class _Content(msgspec.Struct):
    """A body, or an answer."""

    content: dict[str, _Media] = {}
    description: str = ""


class _Parameter(msgspec.Struct):
    name: str = ""
    place: str = msgspec.field(name="in", default="")
    schema: Document | bool = {}


class _OperationShape(msgspec.Struct):
    """As much of an operation's shape as readers of a document rely on."""

    parameters: list[_Parameter] = []
    body: _Content = msgspec.field(name="requestBody", default_factory=_Content)
    responses: dict[str, _Content] = {}
    summary: str = ""
    description: str = ""
    name: str = msgspec.field(name="operationId", default="")


SHAPES: Final[dict[str, Any]] = {
    "schemas": Document | bool,
    "parameters": _Parameter,
    "responses": _Content,
    "requestBodies": _Content,
}
"""Section of the components → shape of what stands there; elsewhere it is an object."""


def _fits(node: Any, shape: Any) -> bool:
    try:
        msgspec.convert(node, shape)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


def _problem_response() -> Document:
    content = {MEDIA_TYPE.decode(): {"schema": {"$ref": f"#/components/schemas/{PROBLEM}"}}}
    return {"description": "Problem", "content": content}


# --- plugins ---------------------------------------------------------------------------------------------------------


class _Renamer:
    """Copies a part of a document; references lead to the plugin's own names afterwards."""

    def __init__(self, refer: Callable[[str], str | None]) -> None:
        self._refer = refer

    def copy(self, node: Any, *, names: bool = False, depth: int = 0) -> Any:
        if depth > DEPTH_MAX:
            return {}
        if isinstance(node, list):
            return [self.copy(each, depth=depth + 1) for each in node]
        if not isinstance(node, dict):
            return node
        if names:
            return {str(key): self.copy(value, depth=depth + 1) for key, value in node.items()}
        copied: Document = {}
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                if (target := self._refer(value)) is not None:
                    copied[key] = target
            elif key == "mapping" and isinstance(value, dict):
                copied[key] = {name: self._refer(str(ref)) or str(ref) for name, ref in value.items()}
            elif key in DATA:
                copied[key] = _shallow(value)
            elif key not in DROPPED:
                copied[key] = self.copy(value, names=key in NAME_MAPS, depth=depth + 1)
        return copied


def _shallow(node: Any, depth: int = 0) -> Any:
    """Data as it is, as deep as it may nest."""
    if depth > DEPTH_MAX:
        return None
    if isinstance(node, list):
        return [_shallow(each, depth + 1) for each in node]
    return {key: _shallow(each, depth + 1) for key, each in node.items()} if isinstance(node, dict) else node


def _capitalised(mount: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in mount.split("-"))


def plugin_fragment(listing: Listing, prefix: str, *, by_token: bool) -> Fragment:
    """What a plugin adds to the document: operations and components that are shaped as OpenAPI has them.

    Args:
        listing: The plugin.
        prefix: Where the plugins stand.
        by_token: Whether the home's token is what lets a request in.
    """
    space, tag, root = _capitalised(listing.mount), listing.mount, f"{prefix}/{listing.mount}"
    made = listing.contributions.openapi
    security: Document = {"security": [{SCHEME: []}]} if by_token else {}
    renamer = _Renamer(lambda reference: _namespaced(reference, space))
    paths: Document = {}
    for path, item in _mapping(made.get("paths")).items():
        paths[root + str(path)] = {
            method: _operation(renamer.copy(value), tag, {} if listing.public_routes else security)
            for method, value in _mapping(item).items()
            if method in METHODS and _fits(value, _OperationShape)
        }
    components: dict[str, Document] = {}
    for section, entries in _mapping(made.get("components")).items():
        components[section] = {
            f"{space}_{_UNFIT.sub('_', str(name))}": renamer.copy(value)
            for name, value in _mapping(entries).items()
            if _fits(value, SHAPES.get(section, Document))
        }
    schemas = components.setdefault("schemas", {})
    for tool in listing.contributions.tools:
        paths[f"{root}/tools/{tool.name}"] = {"post": {**_tool_operation(tool, tag, space, schemas), **security}}
    return Fragment(paths, components, {"name": tag, "description": listing.description})


def _mapping(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, dict) else {}


def _namespaced(reference: str, space: str) -> str | None:
    match = _COMPONENT(reference)
    return f"#/components/{match[1]}/{space}_{_UNFIT.sub('_', match[2])}" if match else None


def _operation(operation: Any, tag: str, security: Document) -> Document:
    copied = dict(_mapping(operation))
    copied["operationId"] = f"{tag}_{copied.get('operationId', '')}"
    copied["tags"] = [tag]
    copied.pop("security", None)
    return copied | security


def _tool_operation(tool: Tool, tag: str, space: str, schemas: Document) -> Document:
    given = _lifted(tool.input_schema, f"{space}_{tool.name}_input", schemas)
    result = _lifted(tool.output_schema or {}, f"{space}_{tool.name}_output", schemas)
    whole = {"type": "array", "items": result} if tool.streams else result
    content: Document = {"application/json": {"schema": whole}}
    content |= {media_type.decode(): {"schema": {"type": "string"}} for media_type in FORMATS}
    required = bool(tool.input_schema.get("required"))
    return {
        "operationId": f"{tag}_tools_{tool.name}",
        "tags": [tag],
        "summary": tool.title or tool.description.partition("\n")[0] or tool.name,
        "description": tool.description,
        "parameters": [
            {
                "name": "timeout_s",
                "in": "query",
                "description": "Seconds to wait at most.",
                "schema": {"type": "number", "exclusiveMinimum": 0},
            }
        ],
        "requestBody": {"required": required, "content": {"application/json": {"schema": given}}},
        "responses": {"200": {"description": "The result.", "content": content}, "default": _problem_response()},
    }


def _lifted(schema: Document, space: str, schemas: Document) -> Document:
    """A schema that stands alone, as a part of the document: its `$defs` become components."""

    def refer(reference: str) -> str | None:
        if reference == "#":
            return f"#/components/schemas/{space}"
        name = reference.removeprefix("#/$defs/")
        return f"#/components/schemas/{space}_{_UNFIT.sub('_', name)}" if name != reference else None

    renamer = _Renamer(refer)
    for name, value in _mapping(schema.get("$defs")).items():
        schemas[f"{space}_{_UNFIT.sub('_', name)}"] = renamer.copy(value)
    copied: Document = renamer.copy({key: value for key, value in schema.items() if key not in ("$defs", "$schema")})
    schemas[space] = copied
    return {"$ref": f"#/components/schemas/{space}"}


# --- the admin API ---------------------------------------------------------------------------------------------------


def admin_fragment(api_prefix: str, *, by_token: bool) -> Fragment:
    """What the admin API adds to the document."""
    operations = {way: OPERATIONS[way.operation] for way in ways(Area.API) if way.operation}
    kinds = [operation.result for operation in operations.values()]
    arguments = [operation.arguments for operation in operations.values()]
    shapes, schemas = msgspec.json.schema_components(
        (*kinds, *arguments), ref_template=f"#/components/schemas/{OWN_SPACE}_{{name}}"
    )
    results = dict(zip(operations, shapes, strict=False))
    security: Document = {"security": [{SCHEME: []}]} if by_token else {}
    paths: Document = {}
    for way in ways(Area.API):
        made = _admin_operation(way, schemas, results[way]) if way in operations else _session_operation(way)
        item = paths.setdefault(api_prefix + way.path, {})
        item[way.method.lower()] = made | (security if way.gate is not Clearance.PUBLIC else {})
    schemes: Document = {}
    if by_token:
        schemes = {SCHEME: {"type": "http", "scheme": "bearer", "description": "The token that `serve` prints."}}
    components = {f"{OWN_SPACE}_{name}": value for name, value in schemas.items()}
    return Fragment(
        paths,
        {"schemas": {**components, PROBLEM: PROBLEM_SCHEMA}, "securitySchemes": schemes},
        {"name": OWN_TAG, "description": "The host of the plugins."},
    )


def _admin_operation(way: Way, schemas: Document, result: Document) -> Document:
    operation = OPERATIONS[way.operation]
    fields = {key: each for key, each in schemas[operation.arguments.__name__]["properties"].items() if key != "plugin"}
    parameters = [_parameter("plugin", "path", {"type": "string"})] if "{plugin}" in way.path else []
    made: Document = {
        "operationId": f"{OWN_TAG}_{way.operation}",
        "tags": [OWN_TAG],
        "summary": operation.summary,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": result}}},
            "default": _problem_response(),
        },
    }
    if way.method == "GET":
        parameters += [_parameter(key, "query", value) for key, value in fields.items()]
    elif fields:
        schema = {"$ref": f"#/components/schemas/{OWN_SPACE}_{operation.arguments.__name__}"}
        body: Document = schema if way.method == "POST" else {"type": "object"}
        made["requestBody"] = {"required": True, "content": {way.media_type: {"schema": body}}}
    return made | {"parameters": parameters}


def _session_operation(way: Way) -> Document:
    starts = way.method == "POST"
    made: Document = {
        "operationId": f"{OWN_TAG}_{'sign_in' if starts else 'sign_out'}",
        "tags": [OWN_TAG],
        "summary": "Exchange the token for a session in a cookie." if starts else "End the session.",
        "responses": {"204": {"description": "Done."}, "default": _problem_response()},
    }
    if starts:
        token = {"type": "object", "required": ["token"], "properties": {"token": {"type": "string"}}}
        made["requestBody"] = {"required": True, "content": {way.media_type: {"schema": token}}}
    return made


def _parameter(name: str, place: str, schema: Document) -> Document:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


# --- the whole -------------------------------------------------------------------------------------------------------


class DocumentMerger:
    """Stands in for `app.openapi`.

    Args:
        original: Makes the application's own document.
        catalogue: What is served now.
        prefix: Where the plugins stand.
        api_prefix: Where the admin API stands.
        user_by_token, admin_by_token: Whether the home's token is what lets a request in.
    """

    def __init__(
        self,
        original: Callable[[], Document],
        catalogue: Callable[[], Catalogue],
        *,
        prefix: str,
        api_prefix: str,
        user_by_token: bool,
        admin_by_token: bool,
    ) -> None:
        self._original = original
        self._catalogue = catalogue
        self._prefix = prefix
        self._by_token = user_by_token
        self._admin = admin_fragment(api_prefix, by_token=admin_by_token or user_by_token)
        self._fragments: dict[tuple[Any, ...], Fragment] = {}
        self._merged: tuple[Document, Catalogue, Document] | None = None

    def __call__(self) -> Document:
        base, catalogue = self._original(), self._catalogue()
        if self._merged is None or self._merged[0] is not base or self._merged[1] is not catalogue:
            self._merged = base, catalogue, _merge(base, [self._admin, *self._current(catalogue)])
        return self._merged[2]

    def _current(self, catalogue: Catalogue) -> Iterable[Fragment]:
        before, self._fragments = self._fragments, {}
        for mount in sorted(catalogue.mounts):
            listing = catalogue.mounts[mount]
            key = (listing.id, mount, listing.generation, listing.contributions.fingerprint)
            known = before.get(key) or plugin_fragment(listing, self._prefix, by_token=self._by_token)
            self._fragments[key] = known
        return self._fragments.values()


def _merge(base: Document, fragments: Iterable[Fragment]) -> Document:
    """The application's document grows; where two say the same name, the application's own stays."""
    paths: Document = {}
    components: dict[str, Document] = {}
    tags: list[Document] = list(base.get("tags", ()))
    for fragment in fragments:
        paths |= fragment.paths
        for section, entries in fragment.components.items():
            components.setdefault(section, {}).update(entries)
        tags.append(fragment.tag)
    for section, entries in base.get("components", {}).items():
        components[section] = {**components.get(section, {}), **entries}
    kept = {section: entries for section, entries in components.items() if entries}
    return {**base, "paths": {**paths, **base.get("paths", {})}, "components": kept, "tags": tags}

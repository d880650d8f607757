"""The fingerprint changes with what the author wrote, and with nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from somnus_plugins.worker.fingerprint import fingerprint
from somnus_plugins.worker.inventory import Inventory

ROOT = Path(__file__).parents[3]
HEAD = """
import datetime, enum, functools, pathlib, re, typing
from dataclasses import dataclass, field
from typing import *
import msgspec
from pydantic import BaseModel, Field
from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, PlainTextResponse
from somnus_plugins.sdk import *
"""
FULL = '''
class Colour(enum.Enum):
    RED = "red"

class Settings(BaseModel):
    """Where to look."""
    folder: pathlib.Path
    size: Annotated[int, Field(ge=1, description="how many")] = 3
    pattern: str = Field("x", pattern="^x", max_length=3)
    many: list[str] = Field(default_factory=list)

class Hit(msgspec.Struct):
    id: int
    tags: list[str] = []
    colour: Colour = Colour.RED

@dataclass
class Box:
    hit: Hit
    made: datetime.datetime = field(default_factory=datetime.datetime.now)

class Row(TypedDict, total=False):
    box: Box

class Point(NamedTuple):
    x: int = 0

def above(depth: int = 1): ...

def current(*, size: int = Query(3, ge=1), on: int = Depends(above)) -> int: ...

class Pages:
    def __init__(self, page: int = 0): ...

class Shut:
    def __call__(self, key: str = ""): ...

def again(it: Any = lambda far=1: ...): ...

again.__defaults__ = (again,)
router = APIRouter(prefix="/r", dependencies=[Depends(current)], default_response_class=JSONResponse)

@router.get("/inner", tags=["x"], status_code=203, summary="In", deprecated=True, openapi_extra={"x-a": 1},
            response_model=dict[str, Colour], include_in_schema=True, operation_id="in", description="Inside",
            responses={410: {"description": "left"}}, dependencies=[Depends(Shut()), Depends(Pages), Depends(again)])
async def inner(q: str = Query("x", max_length=3)) -> int:
    """Inner."""

outer = APIRouter()
outer.include_router(router, prefix="/outer", tags=["y"], dependencies=[Depends(functools.partial(above, 2))])

class Notes(Plugin):
    """Notes."""
    config: Settings
    router = outer

    @tool(read_only=True, title="Find")
    async def search(self, query: str, limit: Annotated[int, Field(ge=1)] = 5, *, box: Optional[Box] = None,
                     kind: Union[Literal["a", 1], Row] = "a", call: Call = None) -> List[Hit]:
        """Find notes.

            Indented,BLANKS
        and not.
        """

    @tool
    def points(self, where: Dict[str, Point | None], how: Callable[[int], str] = None, mark=object()) -> Iterator[int]:
        yield 1

    @get("/a", response_model=list[Hit], dependencies=[Depends(current)], responses={404: {"description": "gone"}})
    async def page(self, q: Annotated[str, Query(max_length=3)] = "x"): ...

    @on("a.*")
    async def heard(self, event: Event): ...

    @every("2h")
    async def tick(self): ...

    @cron("0 7 * * *")
    async def morning(self): ...
'''


FULL = FULL.replace("BLANKS", "  ")


def of(source: str, future: bool = False) -> str:
    """The fingerprint of a plugin's source, run in a module that is made for it."""
    return fingerprint(inventory_of(source, future=future))


def inventory_of(source: str, *, future: bool = False) -> Inventory:
    name = "fingerprinted_plugin"
    module = type(sys)(name)
    sys.modules[name] = module
    code = ("from __future__ import annotations\n" if future else "") + HEAD + textwrap.dedent(source)
    exec(compile(code, name, "exec", dont_inherit=True), vars(module))
    return Inventory.of(vars(module)["Notes"])


def changed(old: str, new: str) -> str:
    assert old in FULL
    return FULL.replace(old, new)


def test_it_is_a_hash_and_the_same_each_time() -> None:
    first = of(FULL)

    assert re.fullmatch(r"[0-9a-f]{64}", first)
    assert {of(FULL) for _ in range(3)} == {first}


CHANGES = [
    ("class Notes(Plugin):", "class Notes(Plugin):\n    @tool\n    def more(self): ..."),
    ("async def search", "async def find"),
    ("read_only=True", "read_only=False"),
    ('title="Find"', 'title="Search"'),
    ("@tool(read_only=True", "@tool(timeout_s=3, read_only=True"),
    ("query: str", "query: bytes"),
    ("query: str", "query: str = ''"),
    ("limit: Annotated[int, Field(ge=1)]", "limit: Annotated[int, Field(ge=2)]"),
    ("= 5", "= 6"),
    ('Literal["a", 1]', 'Literal["a", 2]'),
    ("-> List[Hit]", "-> List[int]"),
    ("Find notes.", "Find books."),
    ("id: int", "id: str"),
    ("tags: list[str] = []", "tags: list[str] | None = None"),
    ('RED = "red"', 'RED = "rot"'),
    ("hit: Hit", "hit: Hit | None"),
    ("box: Box", "box: Box | None"),
    ("x: int = 0", "x: int"),
    ("size: Annotated[int, Field(ge=1", "size: Annotated[int, Field(ge=2"),
    ("] = 3\n", "] = 4\n"),
    ('"how many"', '"how much"'),
    ('pattern="^x"', 'pattern="^y"'),
    ("max_length=3)\n    many", "max_length=4)\n    many"),
    ("default_factory=list", "default_factory=tuple"),
    ("Where to look.", "Where to read."),
    ('"/a"', '"/b"'),
    ("@get", "@post"),
    ("response_model=list[Hit]", "response_model=Hit"),
    ("dependencies=[Depends(current)], responses", "dependencies=[Depends(inner)], responses"),
    ('"gone"', '"lost"'),
    ("Query(max_length=3)", "Query(max_length=4)"),
    ('"/inner"', '"/inmost"'),
    ('prefix="/outer"', 'prefix="/utter"'),
    ("Inner.", "Inmost."),
    ('"a.*"', '"b.*"'),
    ('"2h"', '"3h"'),
    ('"0 7 * * *"', '"0 8 * * *"'),
    ("async def page", "def page"),
    ("size: int = Query(3, ge=1)", "size: int = Query(3, ge=2)"),
    ("size: int = Query(3, ge=1)", "many: int = Query(3, ge=1)"),
    ("depth: int = 1", "depth: str = 1"),
    ("page: int = 0", "page: int = 1"),
    ('key: str = ""', "key: str"),
    ('prefix="/r", dependencies=[Depends(current)]', 'prefix="/r"'),
    ("default_response_class=JSONResponse", "default_response_class=PlainTextResponse"),
    ('tags=["x"]', 'tags=["z"]'),
    ("status_code=203", "status_code=202"),
    ('summary="In"', 'summary="Out"'),
    ("deprecated=True", "deprecated=False"),
    ('"x-a": 1', '"x-a": 2'),
    ("response_model=dict[str, Colour]", "response_model=dict[int, Colour]"),
    ("include_in_schema=True", "include_in_schema=False"),
    ('operation_id="in"', 'operation_id="out"'),
    ('description="Inside"', 'description="Outside"'),
    ('"left"', '"right"'),
    ('tags=["y"]', "tags=[]"),
    ("functools.partial(above, 2)", "functools.partial(above, 3)"),
]


@pytest.mark.parametrize(("old", "new"), CHANGES, ids=[f"{old[:20]} to {new[-20:]}" for old, new in CHANGES])
def test_whatever_changes_a_contribution_changes_it(old: str, new: str) -> None:
    assert of(changed(old, new)) != of(FULL)
    assert of(changed(old, new)) == of(changed(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        yield 1", "        yield 2"),
        ("Indented,  ", "Indented,"),
        ("mark=object()", "mark=  object()"),
        ("Optional[Box]", "Box | None"),
        ("Optional[Box]", "Union[Box, None, Box]"),
        ("List[Hit]", "list[Hit]"),
        ("Dict[str, Point | None]", "dict[str, Optional[Point]]"),
        ('Union[Literal["a", 1], Row]', 'Literal["a", 1] | Row'),
        ("on: int = Depends(above)) -> int: ...", "on: int = Depends(above)) -> str:\n    return 'no contribution'"),
        ("def above(depth: int = 1): ...", "def above(depth: int = 1):\n    'For authors.'"),
        ('"""Notes."""\n    config', "config"),
    ],
)
def test_what_is_no_contribution_leaves_it_the_same(old: str, new: str) -> None:
    assert of(changed(old, new)) == of(FULL)
    assert len(of(FULL)) == 64


def test_annotations_as_text_see_the_records_they_name_too() -> None:
    before = of(FULL, future=True)

    for old, new in [
        ("id: int", "id: str"),
        ("x: int = 0", "x: str = 0"),
        ("hit: Hit", "hit: int"),
    ]:
        assert of(changed(old, new), future=True) != before


def test_a_record_that_names_itself_ends() -> None:
    source = """
    class Tree(msgspec.Struct):
        above: "Tree | None" = None

    class Notes(Plugin):
        @tool
        def grow(self, tree: Tree) -> Tree: ...
    """

    assert of(source) == of(source)
    assert of(source) != of(source.replace("above:", "below:"))


def test_deeply_nested_values_end() -> None:
    source = """
    deep = []
    deep.append(deep)

    class Notes(Plugin):
        @tool
        def grow(self, tree: list = deep, other: Any = functools.partial(print, 1)) -> None: ...
    """

    assert of(source) == of(source)
    assert len(of(source)) == 64


def test_it_is_the_same_in_processes_with_other_hash_seeds(tmp_path: Path) -> None:
    expected = of(FULL)
    script = tmp_path / "print_fingerprint.py"
    script.write_text("import sys\nfrom tests.unit.worker.test_fingerprint import FULL, of\nprint(of(FULL))\n")
    prints = {
        subprocess.run(
            [sys.executable, str(script)],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }

    assert prints == {expected}
    assert len(expected) == 64


def test_it_is_the_same_on_every_python_and_with_every_version_of_what_it_reads() -> None:
    # Changes only when what the fingerprint covers is changed on purpose; then every contributions.json is made anew.
    assert of(FULL) == "04970be335c75c2abb13c4cddd8302abbd42ef146559046b8f02af668d8d6f17"
    assert of(FULL, future=True) == "4c311b7d9a86cdc93dce5ba87f46d20996b5abae674fbebfecb7ee1eb70fe2d9"

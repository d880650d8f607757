"""A folder of documents for the tests, and the plugin set up with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SLEEP = """---
title: ignored
---
# On sleep

Plugins sleep when nobody asks.

## Waking

The **zygote** forks a child in milliseconds.

```sh
# not a heading
somnus call notes search
```
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three documents, one of them below, and what is no document."""
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "sleep.md").write_text(SLEEP)
    (folder / "below" / "shopping_list.txt").write_text("Milk\nBread\n\nA café at the corner\n")
    (folder / "below" / "wire.md").write_text("The wire\n========\n\nFrames and zygotes; nothing on waking.\n")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / ".hidden" / "secret.md").write_text("zygote zygote zygote")
    return folder


@pytest.fixture
def plugin_config(folder: Path) -> dict[str, Any]:
    """Settings of the fixture `plugin`."""
    return {"folder": folder}

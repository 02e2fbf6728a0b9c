"""What a pull leaves beside the files of a model."""

from __future__ import annotations

import json
from pathlib import Path


def write_receipt(folder: Path, *, kind: str, engine: str, day: int = 1) -> None:
    """Write what a pull of that day of November 2026 would have written for the files of a folder."""
    files = [
        {"name": path.name, "size": path.stat().st_size, "sha256": "0" * 64}
        for path in sorted(folder.iterdir())
    ]
    about = {
        "name": folder.name,
        "kind": kind,
        "target": "cpu",
        "engines": [engine],
        "options": {},
        "languages": ["en"],
        "description": folder.name,
        "author": "somebody",
        "upstream": "https://example.org",
        "license": "MIT",
        "source": {"url": "https://example.org/model.bin"},
        "files": files,
        "pulled": f"2026-11-{day:02}T00:00:00Z",
    }
    (folder / "receipt.json").write_text(json.dumps(about))

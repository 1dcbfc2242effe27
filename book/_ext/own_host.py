"""Sphinx extension: take out what would load the pages' parts from other hosts.

Jupyter Book brings Thebe, which runs code on a server far away, into every page, and
twice, which is an error in the page's script.  This book needs none of it.
"""

from __future__ import annotations

from typing import Any


def _without_thebe(_app: Any, _page: str, _template: str, context: dict[str, Any],
                   _tree: Any) -> None:
    for key in ("script_files", "css_files"):
        context[key] = [file for file in context.get(key, []) if not _is_thebe(file)]


def _is_thebe(file: Any) -> bool:
    attributes = getattr(file, "attributes", {})
    return "thebe" in f"{getattr(file, 'filename', file)} {attributes.get('body', '')}".lower()


def setup(app: Any) -> dict[str, Any]:
    # After everybody who adds files to the page.
    app.connect("html-page-context", _without_thebe, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

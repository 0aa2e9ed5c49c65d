"""Sphinx extension of the book: what each notebook was executed with, and no unused scripts."""

import json
from html import escape
from pathlib import Path


def add_footer(app, pagename, templatename, context, doctree):
    """Say below a notebook what it was executed with (its metadata, written at staging)."""
    source = Path(app.env.doc2path(pagename))
    if doctree is not None and source.suffix == ".ipynb":
        run = json.loads(source.read_text(encoding="utf-8"))["metadata"]["executed"]
        context["body"] += f'<p class="executed-with"><small>{escape(run)}</small></p>'


def drop_thebe(app, pagename, templatename, context, doctree):
    """Leave out thebe, which the book does not use and whose script is loaded twice, an error."""
    scripts = context.get("script_files", [])
    context["script_files"] = [script for script in scripts if "thebe" not in _content(script)]


def _content(script) -> str:
    return f"{script.filename} {script.attributes.get('body')}"


def setup(app):
    app.connect("html-page-context", add_footer)
    app.connect("html-page-context", drop_thebe, priority=900)  # after all who add scripts
    return {"parallel_read_safe": True, "parallel_write_safe": True}

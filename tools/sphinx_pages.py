"""Sphinx extension of the book: anchors, optional sections, folds, footers, no unused scripts."""

import json
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

OPTIONAL = "◆"  # begins the title of an optional section in _toc.yml


def jupyter_anchor(heading: str) -> str:
    """What JupyterLab and nbviewer make of a heading, so that one link suits them and the site."""
    return heading.replace(" ", "-")


def mark_optional(app, doctree):
    """Show the sign of an optional section in its title, wherever that appears."""
    title = app.env.external_site_map[app.env.docname].title or ""
    if title.startswith(OPTIONAL):
        next(doctree.findall(nodes.title)).insert(0, nodes.Text(f"{OPTIONAL} "))


def hide_optional(app, env):
    """Hide the optional sections while the others are numbered."""
    for toctree in _toctrees(env):
        toctree["all"] = toctree["entries"]
        toctree["entries"] = [e for e in toctree["all"] if not (e[0] or "").startswith(OPTIONAL)]
    return []


def show_optional(app, env):
    for toctree in _toctrees(env):
        toctree["entries"] = toctree.attributes.pop("all")
    return []


def _toctrees(env):
    return [found for toc in env.tocs.values() for found in toc.findall(addnodes.toctree)]


def quiet_folds(app, pagename, templatename, context, doctree):
    """Take MyST-NB's box off folded code, and its label, so that a screen reader says the line."""
    body = context.get("body", "").replace(' aria-label="Toggle hidden content"', "")
    context["body"] = body.replace('<details class="admonition hide ', '<details class="hide ')


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
    app.connect("doctree-read", mark_optional, priority=400)  # before titles are collected
    app.connect("env-get-updated", hide_optional, priority=400)  # Sphinx numbers at 500
    app.connect("env-get-updated", show_optional, priority=600)
    app.connect("html-page-context", quiet_folds)
    app.connect("html-page-context", add_footer)
    app.connect("html-page-context", drop_thebe, priority=900)  # after all who add scripts
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The API's description as one page for people: it needs nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any, Final

import msgspec

STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "code,pre{font:14px/1.4 monospace;background:#f4f4f2}pre{padding:.7rem;overflow:auto}"
    "h2{margin-top:2.5rem;border-bottom:1px solid #ccc}b{display:inline-block;min-width:4.5rem}"
)


def page(document: dict[str, Any]) -> str:
    """Give an OpenAPI document as HTML."""
    info = document["info"]
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(info['title'])} API</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{escape(info['summary'])} Errors are <code>application/problem+json</code>.",
        'The same for programs: <a href="openapi.json">openapi.json</a>.</p>',
        *_contents(document["paths"]),
    ]
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            lines.extend(_operation(path, method, told))
    lines.append("<h2>Types</h2>")
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines.append(f'<h3 id="{escape(name)}">{escape(name)}</h3>{_pre(schema)}')
    return "\n".join([*lines, "</body></html>", ""])


def _contents(paths: dict[str, Any]) -> Iterator[str]:
    yield "<ul>"
    for path, methods in paths.items():
        for method, told in methods.items():
            link = f'<a href="#{escape(told["operationId"])}">{escape(path)}</a>'
            yield f"<li><code><b>{method.upper()}</b></code> {link}: {escape(told['summary'])}</li>"
    yield "</ul>"


def _operation(path: str, method: str, told: dict[str, Any]) -> Iterator[str]:
    head = f"<code>{method.upper()} {escape(path)}</code>"
    yield f'<h2 id="{escape(told["operationId"])}">{head}</h2><p>{escape(told["summary"])}</p>'
    for one in told.get("parameters", ()):
        need = "" if one["required"] else ", may be left out"
        yield f"<p><code>{escape(one['name'])}</code> in the {one['in']}{need}:</p>"
        yield _pre(one["schema"])
    for media, content in told.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body, <code>{escape(media)}</code>:</p>{_pre(content['schema'])}"
    for status, answer in told["responses"].items():
        if status != "default":
            for media, content in answer["content"].items():
                yield f"<p>Answer {escape(status)}, <code>{escape(media)}</code>:</p>"
                yield _pre(content["schema"])


def _pre(schema: object) -> str:
    text = msgspec.json.format(msgspec.json.encode(schema)).decode()
    return f"<pre>{escape(text)}</pre>"

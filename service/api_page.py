"""The OpenAPI document as one page for people, at /docs: plain HTML, nothing from any other host, no script."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Node = Mapping[str, Any]

_METHODS = ("get", "post", "put", "patch", "delete")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} API</title>
<link rel="icon" href="assets/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="assets/css/tokens.css">
<link rel="stylesheet" href="assets/css/base.css">
<link rel="stylesheet" href="assets/css/reference.css">
</head>
<body>
<main class="reference">
<h1>{title} API {version}</h1>
{about}
<p><a href="openapi.json">openapi.json</a> is the same for programs. <a href="./">To the page</a></p>
<nav aria-label="Contents"><ul>{contents}</ul></nav>
{body}
</main>
</body>
</html>
"""


def render(document: Node) -> str:
    """The whole page."""
    groups = dict(_groups(document))
    sections = {
        **{name: "".join(parts) for name, parts in groups.items()},
        "messages-to-webhooks": "".join(
            _webhook(name, path["post"]) for name, path in document.get("webhooks", {}).items()
        ),
        "websockets": "".join(_socket(path, about) for path, about in document.get("x-websockets", {}).items()),
        "schemas": "".join(_schema(name, one) for name, one in sorted(document["components"]["schemas"].items())),
    }
    contents = "".join(f'<li><a href="#{escape(name)}">{_title(name)}</a></li>' for name in sections)
    body = "".join(f'<h2 id="{escape(name)}">{_title(name)}</h2>{text}' for name, text in sections.items())
    info = document["info"]
    return _PAGE.format(
        title=escape(info["title"]), version=escape(info["version"]), about=_text(info.get("description", "")),
        contents=contents, body=body,
    )  # fmt: skip


def _title(name: str) -> str:
    return escape(name.replace("-", " ").capitalize())


def _groups(document: Node) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                tags = operation.get("tags") or ["other"]
                # A route that has a tag of its own beside that of its group stands under its own.
                found.setdefault(tags[-1], []).append(_operation(method, path, operation))
    yield from found.items()


def _operation(method: str, path: str, operation: Node) -> str:
    name = escape(operation.get("operationId", f"{method}-{path}"))
    rows = [(one["name"], _kind(one["schema"]), one.get("description", "")) for one in operation.get("parameters", ())]
    return (
        f'<section id="{name}"><h3><code>{method.upper()} {escape(path)}</code> '
        f"{escape(operation.get('summary', ''))}</h3>{_text(operation.get('description', ''))}"
        f"{_table('Parameters', rows)}{_body(operation)}{_answers(operation)}</section>"
    )


def _webhook(name: str, operation: Node) -> str:
    return (
        f"<section><h3><code>{escape(name)}</code> {escape(operation.get('summary', ''))}</h3>"
        f"{_text(operation.get('description', ''))}{_body(operation)}{_answers(operation)}</section>"
    )


def _socket(path: str, about: Node) -> str:
    sides = [(side, _kind(about[side]), "") for side in ("send", "receive") if side in about]
    text = _text(about["description"])
    return f"<section><h3><code>{escape(path)}</code></h3>{text}{_table('Messages', sides)}</section>"


def _body(operation: Node) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    return _table("Body", [(kind, _kind(one["schema"]), "") for kind, one in content.items()])


def _answers(operation: Node) -> str:
    rows = []
    for status, answer in operation.get("responses", {}).items():
        kinds = {_kind(one.get("schema", {})) for one in answer.get("content", {}).values()}
        rows.append((status, " or ".join(sorted(kinds)), answer.get("description", "")))
    return _table("Answers", rows)


def _schema(name: str, schema: Node) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (key, _kind(one) + ("" if key in required else ", optional"), one.get("description", ""))
        for key, one in schema.get("properties", {}).items()
    ]
    whole = "" if rows else f"<p>{_kind(schema)}</p>"
    about = _text(schema.get("description", ""))
    return (
        f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>{about}{whole}{_table("Fields", rows)}</section>'
    )


def _kind(schema: Node) -> str:
    """What a value is, as HTML."""
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).rsplit("/", 1)[-1])
        return f'<a href="#schema-{name}">{name}</a>'
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_kind(one) for one in schema[several])
    if schema.get("type") == "array":
        inner = schema.get("prefixItems")
        return f"[{', '.join(map(_kind, inner))}]" if inner else f"list of {_kind(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_kind(schema['additionalProperties'])}"
    return escape(str(schema.get("format") or schema.get("type", "anything")))


def _table(title: str, rows: list[tuple[str, str, str]]) -> str:
    """A table of names, kinds (HTML already) and texts; nothing without rows."""
    if not rows:
        return ""
    cells = "".join(
        f"<tr><th scope='row'><code>{escape(name)}</code></th><td>{kind}</td><td>{_code(text)}</td></tr>"
        for name, kind, text in rows
    )
    return f"<h4>{title}</h4><table>{cells}</table>"


def _text(text: str) -> str:
    return "".join(f"<p>{_code(part)}</p>" for part in text.split("\n\n") if part.strip())


def _code(text: str) -> str:
    """A text in which `words` between backticks are code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))

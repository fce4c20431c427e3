"""Writes the page's module of action colours from pipelines/actions.toml: `python -m service.action_colours`."""

from pathlib import Path

from pipelines.actions import ActionTable, load_actions

PAGE_MODULE = Path(__file__).parent / "web" / "assets" / "js" / "action-colours.js"


def page_module(table: ActionTable) -> str:
    """The text of the module: one colour per action, and that of people of whom nothing is said."""
    rows = "".join(f'  {name}: "{colour}",\n' for name, colour in table.colours.items())
    return (
        "// Made from pipelines/actions.toml by `make colours`; do not edit.\n\n"
        f"export const NAMED = {{\n{rows}}};\n\n"
        f'export const NEUTRAL = "{table.neutral}";\n'
    )


if __name__ == "__main__":
    PAGE_MODULE.write_text(page_module(load_actions()), encoding="utf-8")

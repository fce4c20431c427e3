"""`actogram actions`: which actions a model recognises, how reliably, and when each becomes an event."""

import json

import click

from service.commands.failures import reported


@click.command(help="List the actions of a model, their thresholds and how reliable each one is.")
@click.option(
    "--model", help="Action model, a name (see `actogram models list`) or a folder [default: the built-in one]."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(model: str | None, as_json: bool) -> None:
    """Print them."""
    from models.runtime.contract import load_contract
    from models.weights.registry import load_registry
    from models.weights.store import WeightStore
    from pipelines.stream.build import NetworkChoice, find_action
    from service.settings import load_settings

    with reported():
        settings = load_settings()
        store = WeightStore(settings.cache, settings.weights, settings.offline)
        folder = settings.model_folder(model) if model is not None else None
        path = find_action(NetworkChoice(model=str(folder) if folder else model), load_registry(), store)
        contract = load_contract(path.with_name("model.json"))
    actions = {name: rule.model_dump() for name, rule in contract.actions.items() if name in contract.labels}
    if as_json:
        click.echo(json.dumps({"model": contract.name, "window_s": contract.window_s, "actions": actions}, indent=2))
        return
    _print_table(contract.name, actions)


def _print_table(model: str, actions: dict[str, dict[str, object]]) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table

    columns = ("action", "quality", "severity", "begins at", "ends below", "confirmed after", "bridges gaps of")
    table = Table(*columns, box=None, pad_edge=False)
    for name, rule in actions.items():
        shares = (f"{rule['threshold']:.2f}", f"{rule['offset_threshold']:.2f}")
        seconds = (f"{rule['min_duration_s']:.1f} s", f"{rule['merge_gap_s']:.1f} s")
        table.add_row(name, str(rule["quality"]), str(rule["severity"]), *shares, *seconds)
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(f"Model {model}")
    console.print(table)

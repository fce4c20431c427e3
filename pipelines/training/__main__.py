"""The training commands: from videos and skeleton files to exported networks; `actogram <command>` runs this module."""

import click

from pipelines.training.command_evaluate import compare, evaluate, export
from pipelines.training.command_examine import examine
from pipelines.training.command_train import pretrain, recipes, train
from pipelines.training.dataset_command import dataset
from pipelines.training.prepare_command import prepare
from pipelines.training.starter import end_with_starter
from pipelines.training.visualize.command import visualize


@click.group(help=__doc__)
def main() -> None:
    """See the subcommands."""
    end_with_starter()


for command in (prepare, dataset, train, pretrain, recipes, evaluate, examine, export, compare, visualize):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="actogram")

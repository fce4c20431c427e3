"""`actogram compare`: handed over to the training package."""

from service.commands.handover import handed_over

command = handed_over("compare", "Hold training runs against each other.", lambda _settings, _args: [])

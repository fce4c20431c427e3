"""`actogram recipes`: handed over to the training package."""

from service.commands.handover import handed_over

command = handed_over("recipes", "List what training recipes are made of.", lambda _settings, _args: [])

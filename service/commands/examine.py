"""`actogram examine`: handed over to the training package."""

from service.commands.handover import handed_over, with_data

command = handed_over("examine", "Make the table by which an action model is judged.", with_data)

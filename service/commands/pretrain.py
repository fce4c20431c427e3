"""`actogram pretrain`: handed over to the training package."""

from service.commands.handover import handed_over, with_data

command = handed_over("pretrain", "Learn from skeletons without labels.", with_data)

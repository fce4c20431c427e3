"""`actogram export`: handed over to the training package."""

from service.commands.handover import handed_over, with_data

command = handed_over("export", "Turn a trained network into ONNX, with a parity check.", with_data)

"""What runs a network: onnxruntime everywhere, OpenVINO on processors where it is installed and wanted."""

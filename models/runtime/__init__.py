"""Networks in ONNX Runtime: detectors, pose estimators, action models; no torch."""

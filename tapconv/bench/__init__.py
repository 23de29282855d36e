"""`python -m tapconv bench`: tapconv against torch, ONNX Runtime and OpenVINO on the layers of `shapes.csv`."""

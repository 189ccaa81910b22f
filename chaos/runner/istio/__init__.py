"""A running Istio as the engine of a run: objects that come, change and go with its phases."""

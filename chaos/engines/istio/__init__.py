"""The same faults in a running Istio: objects that touch this run's traffic alone, and end by themselves."""

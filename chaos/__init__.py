"""chaos: chaos testing with Istio VirtualServices, with verdicts whose probability of being wrong is stated."""

__version__ = "0.1.0"

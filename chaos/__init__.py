"""chaos: chaos testing with Istio VirtualServices, with verdicts whose probability of being wrong is stated."""

from chaos.version import __version__ as __version__

"""The same rules as configuration for a real Envoy, built the way Istio's control plane does."""

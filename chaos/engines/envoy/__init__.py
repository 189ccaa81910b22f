"""The same rules as configuration for a real Envoy, put together the way Istio's control plane does it."""

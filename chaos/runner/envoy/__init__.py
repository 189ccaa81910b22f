"""The engine `envoy`: a real Envoy as a gateway process, with the same plan and the same admin API as ours."""

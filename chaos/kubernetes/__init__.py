"""The documents with which a run happens inside a Kubernetes cluster: pure values, from what was read to plain dicts.

Nothing here talks to a cluster; `chaos export kubernetes` prints them, and kubectl applies them."""

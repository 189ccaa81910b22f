"""A small Kubernetes API server, with what a mesh needs of its controllers: the life of Jobs, owner references.

Its words, statuses and habits are those of kube-apiserver 1.37, as `make cluster` has them."""

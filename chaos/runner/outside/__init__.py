"""What the access log of a gateway that runs already (`--gateway`, `--access-log`) says of the run's requests."""

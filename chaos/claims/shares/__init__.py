"""Judge claims about a proportion, whatever its kind."""

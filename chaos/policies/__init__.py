"""Faults that Istio does not have: the document `kind: FaultPolicy`, its kinds, and what each does to a request."""

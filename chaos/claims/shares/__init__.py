"""How claims about a proportion are judged, whatever they are about."""

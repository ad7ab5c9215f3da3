"""Memory that runs out, at every allocation of the engine."""

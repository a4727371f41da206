"""Engines: what runs an experiment. `torch` is the reference."""

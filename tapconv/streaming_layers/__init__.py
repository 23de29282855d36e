"""Convolutions of signals that arrive chunk by chunk: as functions of a state, and as modules that keep it."""

"""Frozen words that travel between rooms. No behaviour lives here."""

"""Alerts: what is watched, what was told, and the ways in which it is told."""

"""Adapters: each speaks to one kind of provider, tries once, and says in safe words what went wrong."""

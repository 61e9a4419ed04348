"""Roadmaps and planners that repair their tree when the world changes."""

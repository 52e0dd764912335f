"""Chaos testing that tells the truth."""

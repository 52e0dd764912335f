"""Carries an experiment out and writes down what happens; judges nothing."""

from capsize.runner.execute import execute

__all__ = ["execute"]

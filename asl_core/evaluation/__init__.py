"""Evaluation: inference, metrics, prediction, error analysis."""

"""Pickles read as data, within a budget of memory and time.

A plugin that reads a kind of pickle subclasses :class:`PickleStandIns` with the globals that its files name, and runs a
:class:`PickleMachine` over the bytes. Nothing that a file names is imported or called.
"""

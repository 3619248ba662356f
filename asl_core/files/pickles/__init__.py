"""Reading pickles as data, within a budget: the machine, and what a reader gives for the names in a file.

A plugin that reads a kind of pickle subclasses :class:`PickleStandIns` with the globals that its files name, and runs a
:class:`PickleMachine` over the bytes. Nothing of a file is imported or called.
"""

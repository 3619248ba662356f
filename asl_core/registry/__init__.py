"""The registry: components, hooks, discovery of plugins, options, recipes."""

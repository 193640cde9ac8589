"""Settings and wiring: reads what the operator said, builds the service from it.

Nothing below imports this package.
"""

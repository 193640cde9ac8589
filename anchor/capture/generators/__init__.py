"""Readers of what generators say: one module a tool, each from the texts found in a file.

Every reader here is our own. Most of what these tools write is JSON or ``key: value`` lines, so a
reader is short; the library that reads five of them takes an image library with it, opens the
pixels, and knows neither the others nor the labels. It is the oracle of the tests instead.
"""

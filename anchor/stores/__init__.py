"""Where the service keeps things: the log's files and the anchorer's memory.

Each store implements a protocol of :mod:`anchor.ports` and imports no other store's insides; what
several of them do with SQLite stands in :mod:`anchor.stores.database`.
"""

"""Folders that are watched: every new image becomes a record.

``inotify`` and ``changes`` say what happened, ``settling`` when a file is whole, ``watcher``
records it, ``mark`` remembers what a process that was killed had still to do.
"""

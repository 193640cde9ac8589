"""Readers of the containers that images come in: where metadata stands, without its meaning.

Each reader walks a file by the lengths that the file itself states, reads only what may be
metadata, and never decodes an image. What is wrong with a file is noted; nothing here is fatal.
"""

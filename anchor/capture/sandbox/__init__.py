"""Read hostile files in a process that can do nothing else.

A worker process gets one open file at a time over a socket, and answers with what it found. It has
no environment, at most 256 MiB of address space and 5 seconds a file, may open, write, start and
load nothing while it reads, and is killed and replaced when it does not answer.
"""

"""The byte formats, one module each: bytes to values and back, and the arithmetic on them.

Floor 1 of the kernel. Nothing here opens a file or socket, reads a clock or draws a random number;
nothing is believed because it parses. ``parse_*`` raises only
:class:`~anchor.errors.FormatError` subclasses, ``verify_*`` only
:class:`~anchor.errors.VerificationError` subclasses.
"""

"""The service's HTTP side: words of HTTP to calls below, errors to problems, nothing else.

``create_app(service)`` returns an ASGI application; ``server`` runs it, ``cli`` is
``vestige serve``. The rules live in ``anchor``; what is decided here is how much of a request is
read, from whom, and how an answer is written.
"""

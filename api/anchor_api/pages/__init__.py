"""The service's pages: what they say, and how it is written as HTML."""

"""The routes, a module for each part of the interface; each makes its router for one service."""

"""The creation-process record and its chain: built and read, signed and checked, without I/O."""

"""The sections of the printed exhibit: each turns contents and words into blocks."""

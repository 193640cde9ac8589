"""The printed exhibit: PDF/A-3 with the proofs attached, from the payload folder of a bag."""

from anchor.exhibit.pdf.pictures import FilePictures
from anchor.exhibit.pdf.render import render_pdf

__all__ = ["FilePictures", "render_pdf"]

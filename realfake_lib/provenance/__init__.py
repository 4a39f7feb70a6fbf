"""What an image file says of itself: content credentials, XMP, generation parameters, EXIF.

Only structure counts: fields of a standard, or parameters in the form in which a generator writes
them. The name of a generator in a caption, a title, keywords or a file name counts for nothing.
A file that says nothing proves nothing, and nothing here goes on the network.
"""

from realfake_lib.provenance.credentials import trust_anchors
from realfake_lib.provenance.files import read
from realfake_lib.provenance.statement import Statement

__all__ = ["Statement", "read", "trust_anchors"]

"""The models of the book and what belongs to them, one file a chapter."""

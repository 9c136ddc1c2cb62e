"""Generated from proto/vault/v1 by proto/generate.py; never edited by hand."""

"""Generated from the vendored proto/buf."""

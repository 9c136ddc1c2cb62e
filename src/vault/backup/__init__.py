"""Backups of a whole vault: made while it serves, restored into an empty database, and reconciled with what the KMS remembers."""

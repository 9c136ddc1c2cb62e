"""Faults on purpose, for whoever develops against a vault: what its callers get while KMS or database are away, slow or say no."""

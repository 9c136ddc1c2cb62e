"""Who calls, and may they: certificates to identities, identities to decisions."""

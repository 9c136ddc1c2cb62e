"""KEKs in a keyring file, used in the vault's own memory: for development and single machines."""

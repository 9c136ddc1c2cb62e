"""The pure crypto room: bytes in, bytes out. docs/formats.md specifies every byte made here.

Nothing is invented: AES-256-GCM, HKDF and HMAC-SHA-256 come from ``cryptography`` and the standard library.
"""

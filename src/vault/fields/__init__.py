"""What callers do with values that they keep themselves: encrypt, decrypt, and move them to newer keys."""

"""pdvault: a service that keeps personal data for other systems and can prove what became of it."""

"""What a server does for its audit logs beside serving calls: integrating, watching, and saying what is wrong."""

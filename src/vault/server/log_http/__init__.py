"""The audit logs over HTTPS, in the layout of C2SP tlog-tiles."""

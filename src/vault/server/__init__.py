"""The gRPC edge and the node behind it: what is only needed to serve."""

"""Data classes: what kinds of personal value there are, and what each of them means. Pure: values in, values out."""

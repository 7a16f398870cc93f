"""The shipped kernels, in every way that they can run."""

"""Tests of the control plane: the library and the command."""

"""Tests of csrc/machine and csrc/dev: the computer, without a hypervisor."""

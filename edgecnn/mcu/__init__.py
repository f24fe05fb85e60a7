"""Generated C on microcontrollers: compiled by their compilers, run on boards that QEMU emulates, measured."""

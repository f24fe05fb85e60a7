"""Reads from the machine code of Arm Cortex-M processors how much stack a function takes for itself.

The compiler tells the size of a frame, but not what assembly within the function pushes. Arm Architecture Reference
Manual for Armv7-M and Armv8-M, "Encoding of the Thumb instruction set".
"""

from __future__ import annotations

import struct


def stack_taken(code: bytes) -> int:
    """Bytes by which all instructions of a function together lower the stack pointer.

    Each instruction counts once: assembly that pushes in a loop takes more. Nothing that depends on a register counts.

    Args:
        code: Thumb instructions, 16 or 32 bits long.
    """
    halfwords = [number for (number,) in struct.iter_unpack("<H", code[: len(code) // 2 * 2])]
    taken = at = 0
    while at < len(halfwords):
        first = halfwords[at]
        at += 1
        if first < 0xE800:
            taken += _of_16_bits(first)
        elif at < len(halfwords):
            taken += _of_32_bits(first, halfwords[at])
            at += 1
    return taken


def _of_16_bits(code: int) -> int:
    if code & 0xFE00 == 0xB400:    # PUSH: r0 to r7, lr
        return 4 * (code & 0x1FF).bit_count()
    if code & 0xFF80 == 0xB080:    # SUB SP, SP, #immediate
        return 4 * (code & 0x7F)
    return 0


def _of_32_bits(first: int, second: int) -> int:
    if first == 0xE92D:    # PUSH.W, that is STMDB SP!
        return 4 * second.bit_count()
    if first == 0xF84D and second & 0xF00 == 0xD00:    # STR [SP, #-immediate]!
        return second & 0xFF
    if first == 0xE96D:    # STRD [SP, #-immediate]!
        return 4 * (second & 0xFF)
    if first & ~0x40 == 0xED2D and second >> 8 & 0xF in (10, 11):    # VPUSH
        return 4 * (second & 0xFF)
    immediate = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    if first & ~0x400 == 0xF2AD and second & 0x8F00 == 0x0D00:    # SUBW SP, SP, #immediate
        return immediate
    if first & ~0x400 == 0xF1AD and second & 0x8F00 == 0x0D00:    # SUB.W SP, SP, #constant
        return _constant(immediate)
    return 0


def _constant(immediate: int) -> int:
    """ThumbExpandImm: a byte, a byte repeated, or eight bits anywhere in a word."""
    if immediate < 0x400:
        return (immediate & 0xFF) * (1, 0x10001, 0x1000100, 0x1010101)[immediate >> 8]
    turns, bits = immediate >> 7, immediate & 0x7F | 0x80
    return (bits >> turns | bits << 32 - turns) & 0xFFFF_FFFF

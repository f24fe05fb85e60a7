/* Start-up of a RISC-V: memory, traps, and the semihosting call. */
    .option arch, +zicsr
    .section .start, "ax"
    .globl board_start
board_start:
    la      sp, board_stack_end
    la      t0, trap
    csrw    mtvec, t0
    la      t0, board_bss_start
    la      t1, board_bss_end
clear:
    bgeu    t0, t1, copy
    sw      zero, 0(t0)
    addi    t0, t0, 4
    j       clear
copy:
    la      t0, board_data_start
    la      t1, board_data_end
    la      t2, board_data_source
copy_word:
    bgeu    t0, t1, run
    lw      t3, 0(t2)
    sw      t3, 0(t0)
    addi    t0, t0, 4
    addi    t2, t2, 4
    j       copy_word
run:
    call    main
    call    board_exit

    .balign 4
trap:
    la      sp, board_stack_end    /* what ran does not go on: its stack may be what went wrong */
    csrr    a0, mcause
    call    board_fault

    .text
    .globl board_semihosting
    .balign 16
    .option push
    .option norvc
/* RISC-V semihosting specification: these three words, uncompressed and in one page, are the call. */
board_semihosting:
    slli    zero, zero, 0x1f
    ebreak
    srai    zero, zero, 7
    ret
    .option pop

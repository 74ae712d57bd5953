/* SPDX-License-Identifier: MIT */
/*
 * switch-aarch64.S - the switch between two stacks. A parked stack, from its saved sp upwards,
 * in words: x19 ... x28, x29, x30, then d8 ... d15. It continues at x30.
 *
 * It ends with ret and not with br: where branch targets are checked, a return address is no
 * legal target of br. hint #34 is bti c, a nop on older processors.
 */
#if defined __aarch64__ && !defined TRI_SWITCH_UCONTEXT

    .text

/* void tri_switch(void **save, void *to) */
    .globl tri_switch
    .hidden tri_switch
    .type tri_switch, %function
    .balign 16
tri_switch:
    .cfi_startproc
    hint #34
    sub sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp x19, x20, [sp, #0]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    stp x21, x22, [sp, #16]
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    stp x23, x24, [sp, #32]
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    stp x25, x26, [sp, #48]
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    stp x27, x28, [sp, #64]
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    stp x29, x30, [sp, #80]
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp d8, d9, [sp, #96]
    .cfi_rel_offset d8, 96
    .cfi_rel_offset d9, 104
    stp d10, d11, [sp, #112]
    .cfi_rel_offset d10, 112
    .cfi_rel_offset d11, 120
    stp d12, d13, [sp, #128]
    .cfi_rel_offset d12, 128
    .cfi_rel_offset d13, 136
    stp d14, d15, [sp, #144]
    .cfi_rel_offset d14, 144
    .cfi_rel_offset d15, 152
    mov x9, sp
    str x9, [x0]
    mov sp, x1          /* the same layout: the rules above describe the new stack as well */
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    .cfi_def_cfa_offset 0
    .cfi_same_value x19
    .cfi_same_value x20
    .cfi_same_value x21
    .cfi_same_value x22
    .cfi_same_value x23
    .cfi_same_value x24
    .cfi_same_value x25
    .cfi_same_value x26
    .cfi_same_value x27
    .cfi_same_value x28
    .cfi_same_value x29
    .cfi_same_value x30
    .cfi_same_value d8
    .cfi_same_value d9
    .cfi_same_value d10
    .cfi_same_value d11
    .cfi_same_value d12
    .cfi_same_value d13
    .cfi_same_value d14
    .cfi_same_value d15
    ret
    .cfi_endproc
    .size tri_switch, . - tri_switch

/*
 * The first frame of every context: x19 = function, x20 = its argument. The nop makes the
 * address before tri_entry, by which debuggers look up a caller, belong to this function.
 */
    .globl tri_entry
    .hidden tri_entry
    .type tri_entry_frame, %function
    .balign 16
tri_entry_frame:
    .cfi_startproc
    .cfi_undefined x30  /* backtraces end here */
    nop
tri_entry:
    hint #34
    mov x0, x20
    blr x19
    brk #1
    .cfi_endproc
    .size tri_entry_frame, . - tri_entry_frame

#ifdef __ARM_FEATURE_BTI_DEFAULT
/* Every indirect target above has its pad, so the linker may keep the checks on. */
    .section .note.gnu.property, "a"
    .balign 8
    .word 4, 16, 5
    .asciz "GNU"
    .word 0xc0000000, 4, 1, 0
#endif

#endif

    .section .note.GNU-stack, "", %progbits

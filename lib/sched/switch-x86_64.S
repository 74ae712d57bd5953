/* SPDX-License-Identifier: MIT */
/*
 * switch-x86_64.S - the switch between two stacks. A parked stack, from its saved sp upwards:
 *
 *     sp[0] r15   sp[1] r14   sp[2] r13   sp[3] r12   sp[4] rbx   sp[5] rbp   sp[6] rip
 *
 * It ends with ret, though the processor predicts that to lead to the stack that was left: in the
 * scheduler both stacks were parked by the same call at the same depth, so the prediction is
 * right, and those of the callers' rets stay in step. A jump would leave the predicted stack one
 * entry ahead and spoil them all: 50 ns a yield instead of 20. (Between two unlike call sites,
 * as in a loop that does nothing else, it is the other way round: 4 ns and 15.)
 *
 * No SHSTK note: with shadow stacks on, a plain switch is illegal, and without the note the
 * whole process leaves them off.
 */
#if defined __x86_64__ && !defined TRI_SWITCH_UCONTEXT

    .text

/* void tri_switch(void **save, void *to) */
    .globl tri_switch
    .hidden tri_switch
    .type tri_switch, @function
    .balign 16
tri_switch:
    .cfi_startproc
#ifdef __CET__
    endbr64
#endif
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    movq %rsp, (%rdi)
    movq %rsi, %rsp     /* the same layout: the rules above describe the new stack as well */
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_same_value %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_same_value %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_same_value %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_same_value %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_same_value %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_same_value %rbp
    ret
    .cfi_endproc
    .size tri_switch, . - tri_switch

/*
 * int tri_return_far(int r): returns @r, as a plain return would, by a jump. For a function that
 * calls it in tail position and knows that a ret would be predicted to lead elsewhere.
 */
    .globl tri_return_far
    .hidden tri_return_far
    .type tri_return_far, @function
    .balign 16
tri_return_far:
    .cfi_startproc
#ifdef __CET__
    endbr64
#endif
    movl %edi, %eax
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmp *%rcx
    .cfi_endproc
    .size tri_return_far, . - tri_return_far

/*
 * The first frame of every context: rbx = function, r12 = its argument. The nop makes the
 * address before tri_entry, by which debuggers look up a caller, belong to this function.
 */
    .globl tri_entry
    .hidden tri_entry
    .type tri_entry_frame, @function
    .balign 16
tri_entry_frame:
    .cfi_startproc
    .cfi_undefined %rip /* backtraces end here */
    nop
tri_entry:
#ifdef __CET__
    endbr64
#endif
    movq %r12, %rdi
    call *%rbx
    ud2
    .cfi_endproc
    .size tri_entry_frame, . - tri_entry_frame

#endif

    .section .note.GNU-stack, "", %progbits

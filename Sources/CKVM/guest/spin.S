// spin: a loop that never leaves the vCPU, to measure and to interrupt.
//
// In: rdi = iterations; 0 stands for DEFAULT_ITERATIONS. Eight instructions each: arithmetic, a
// load, a store and two branches, one of which is taken half of the time. It uses no GHCB.

#include "blob.h"

#define DEFAULT_ITERATIONS 6250000      /* 50 million instructions */

    blob_begin spin
    symbol guest_code
    test %rdi, %rdi
    jnz 1f
    mov $DEFAULT_ITERATIONS, %edi
1:  sub $24, %rsp                       // the cell that is loaded and stored
    movq $0, (%rsp)
    xor %eax, %eax
    symbol spin
    add (%rsp), %rax
    add $0x1e3779b1, %rax
    mov %rax, (%rsp)
    test $1, %al
    jz 2f
    rol $7, %rax
2:  dec %rdi
    jnz spin
    add $24, %rsp
    ret
    blob_end spin

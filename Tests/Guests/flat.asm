; A flat binary: loaded at 0x100000, entered at its first byte, no sections and no symbols.
bits 64
org 0x100000

entry:
        push    rbx
        push    rbp
        mov     rbp, rsp
        lea     rsi, [rel greeting]
        call    print
        mov     rax, entry              ; an absolute address: org is believed
        call    print_number
        lea     rax, [rel entry]
        call    print_number
        mov     rax, rsp
        and     eax, 15                 ; entered 8 below a multiple of 16, two pushes since
        call    print_number
        mov     ecx, 20
        xor     eax, eax
        mov     edx, 1
.next:  xadd    rax, rdx
        loop    .next
        call    print_number            ; the 20th Fibonacci number
        mov     eax, [table + 2*4]
        call    print_number
        pop     rbp
        pop     rbx
        ret

print:  lodsb
        test    al, al
        jz      .end
        call    put
        jmp     print
.end:   ret

print_number:
        mov     rbx, rax
        mov     ecx, 60
.digit: mov     rax, rbx
        shr     rax, cl
        and     eax, 15
        movzx   eax, byte [digits + rax]
        call    put
        sub     ecx, 4
        jns     .digit
        mov     al, 10
        call    put
        ret

put:    mov     dx, 0x3f8
        out     dx, al
        ret

greeting: db "flat binary", 10, 0
digits: db "0123456789abcdef"
        align 4
table:  dd 1, 2, 0xc0ffee, 4

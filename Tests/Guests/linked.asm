; An ELF made by nasm and ld: sections, a jump table, uninitialised data, an immediate port.
bits 64
default rel
global guest_code

section .text
guest_code:
        push    rbx
        push    r12
        sub     rsp, 8
        lea     rbx, [text]
        mov     r12d, 3
.turn:  lea     rax, [routines]
        call    [rax + r12*8]
        dec     r12d
        jns     .turn
        cmp     qword [zeros + 4088], 0
        jne     .end
        mov     byte [zeros], '!'
        mov     al, [zeros]
        call    put
        mov     al, 10
        call    put
.end:   out     0x80, al                ; nothing answers there
        add     rsp, 8
        pop     r12
        pop     rbx
        ret

put:    push    rdx
        mov     edx, 0x3f8
        out     dx, al
        pop     rdx
        ret

letter: mov     al, [rbx]
        inc     rbx
        jmp     put
upper:  mov     al, [rbx]
        inc     rbx
        and     al, ~0x20
        jmp     put
twice:  call    upper
        jmp     letter
words:  mov     rsi, words.text
        mov     ecx, words.length
        mov     edx, 0x3f8
        rep     outsb
        ret

section .rodata
text:       db "snasm"
words.text: db "text from "
words.length equ $ - words.text

section .data
routines:   dq letter, letter, twice, words

section .bss
zeros:      resb 4096

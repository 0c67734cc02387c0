// How a program of this folder becomes bytes for guest memory: a blob.
//
// A blob is linked into sevdbg as read-only data, and copied from there. It must not need the
// linker: every reference inside it is relative, and none leaves it.

    // Starts the blob `name`. Its first byte is its entry.
    .macro blob_begin name
    .section .rodata.ckvm.symbols, "a", @progbits
    .globl ckvm_\name\()_symbols
    .hidden ckvm_\name\()_symbols
ckvm_\name\()_symbols:
    .section .rodata.ckvm.code, "a", @progbits
    .balign 16
    .globl ckvm_\name\()_code
    .hidden ckvm_\name\()_code
ckvm_\name\()_code:
blob:
    .endm

    // A label that the debugger knows.
    .macro symbol name
\name:
    symbol_record \name, "\name"
    .endm

    .macro symbol_record label, text
    .pushsection .rodata.ckvm.symbols, "a", @progbits
    .long \label - blob
    .asciz "\text"
    .popsection
    .endm

    // From here to the end of the blob its pages are mapped shared, as an ELF section `.shared` is.
    .macro shared_section
    .balign 4096
shared_start:
    symbol_record shared_start, ".shared"
    .endm

    .macro blob_end name
    .globl ckvm_\name\()_code_end
    .hidden ckvm_\name\()_code_end
ckvm_\name\()_code_end:
    .section .rodata.ckvm.symbols, "a", @progbits
    .globl ckvm_\name\()_symbols_end
    .hidden ckvm_\name\()_symbols_end
ckvm_\name\()_symbols_end:
    .section .note.GNU-stack, "", @progbits
    .endm

// The GHCB page, its MSR and the SVM exit codes, for assembly (REFERENCE 1, 2, 3).
//
// All macros here have the page's address in rbx.

#define MSR_GHCB 0xc0010130
#define MSR_SEV_STATUS 0xc0010131
#define MSR_XSS 0xda0
#define MSR_EFER 0xc0000080
#define MSR_LSTAR 0xc0000082
#define MSR_FS_BASE 0xc0000100          /* and of GS behind it */

#define GHCB_CPL 0x0cb
#define GHCB_XSS 0x140
#define GHCB_RAX 0x1f8
#define GHCB_RCX 0x308
#define GHCB_RDX 0x310
#define GHCB_RBX 0x318
#define GHCB_RSI 0x330
#define GHCB_SW_EXITCODE 0x390
#define GHCB_SW_EXITINFO1 0x398
#define GHCB_SW_EXITINFO2 0x3a0
#define GHCB_SW_SCRATCH 0x3a8
#define GHCB_XCR0 0x3e8
#define GHCB_VALID_BITMAP 0x3f0
#define GHCB_SHARED_BUFFER 0x800
#define GHCB_SHARED_BUFFER_SIZE 2032
#define GHCB_PROTOCOL_VERSION 0xffa
#define GHCB_USAGE 0xffc

#define SVM_EXIT_READ_DR7 0x27
#define SVM_EXIT_WRITE_DR7 0x37
#define SVM_EXIT_DB 0x41
#define SVM_EXIT_RDPMC 0x6f
#define SVM_EXIT_CPUID 0x72
#define SVM_EXIT_INVD 0x76
#define SVM_EXIT_IOIO 0x7b
#define SVM_EXIT_MSR 0x7c
#define SVM_EXIT_VMMCALL 0x81
#define SVM_EXIT_WBINVD 0x89
#define SVM_EXIT_MONITOR 0x8a
#define SVM_EXIT_MWAIT 0x8b
#define SVM_EXIT_NPF 0x400
#define SVM_VMGEXIT_MMIO_READ 0x80000001
#define SVM_VMGEXIT_MMIO_WRITE 0x80000002
#define SVM_VMGEXIT_NMI_COMPLETE 0x80000003
#define SVM_VMGEXIT_HV_FEATURES 0x8000fffd

#define IOIO_IN 0x001
#define IOIO_STRING 0x004
#define IOIO_REP 0x008
#define IOIO_SIZE_SHIFT 4               /* size in bytes: 1, 2 or 4 */
#define IOIO_ADDRESS32 0x100
#define IOIO_ADDRESS64 0x200
#define IOIO_SEGMENT_SHIFT 10
#define IOIO_DS 0xc00
#define IOIO_PORT_SHIFT 16

#define GHCB_MSR_SEV_INFO_REQ 0x002
#define GHCB_MSR_CPUID_REQ 0x004
#define GHCB_MSR_CPUID_RESP 0x005
#define GHCB_MSR_HV_FT_REQ 0x080
#define GHCB_MSR_HV_FT_RESP 0x081
#define GHCB_MSR_TERM_REQ 0x100
#define GHCB_MSR_TERM_SET_SHIFT 12
#define GHCB_MSR_TERM_REASON_SHIFT 16

    // An exit to the hypervisor, which takes what the GHCB MSR names. The assembler has no name for
    // it.
    .macro vmgexit
    rep
    vmmcall
    .endm

    // Sets a field of eight bytes and its bit in the valid bitmap: one bit for every eight bytes.
    .macro ghcb_set field, register
    mov \register, \field(%rbx)
    ghcb_mark \field
    .endm

    .macro ghcb_mark field
    orb $(1 << ((\field >> 3) & 7)), (GHCB_VALID_BITMAP + (\field >> 6))(%rbx)
    .endm

    // Takes a field of the answer; goes to `missing` if the hypervisor did not mark it valid.
    .macro ghcb_get field, register, missing
    testb $(1 << ((\field >> 3) & 7)), (GHCB_VALID_BITMAP + (\field >> 6))(%rbx)
    jz \missing
    mov \field(%rbx), \register
    .endm

    // Makes nothing in the page valid: the start of a request, and the end of an answer.
    .macro ghcb_clear
    movq $0, GHCB_VALID_BITMAP(%rbx)
    movq $0, (GHCB_VALID_BITMAP + 8)(%rbx)
    .endm

    // rax: a value for the GHCB MSR. Changes rcx and rdx.
    .macro ghcb_write_msr
    mov %rax, %rdx
    shr $32, %rdx
    mov $MSR_GHCB, %ecx
    wrmsr
    .endm

    // Out: rax = the GHCB MSR. Changes rcx and rdx.
    .macro ghcb_read_msr
    mov $MSR_GHCB, %ecx
    rdmsr
    shl $32, %rdx
    or %rdx, %rax
    .endm

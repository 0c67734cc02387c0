import VCPUControl

extension Snippet {
    /// IN, OUT, INS and OUTS.
    static let ports: [Snippet] = [
        .init(
            "mov %rsi, %rax; in $0x80, %al; mov %rax, %r8", "4889f0e4804989c0c3",
            [.rsi: 0x1122_3344_5566_7788], exits: ["0x7b 0x800211 0"],
            results: [.r8: 0x1122_3344_5566_7780]),
        .init(
            "mov %rsi, %rax; in %dx, %ax; mov %rax, %r8", "4889f066ed4989c0c3",
            [.rsi: 0x1122_3344_5566_7788, .rdx: 0xffff_1234], exits: ["0x7b 0x12340221 0"],
            results: [.r8: 0x1122_3344_5566_8180]),
        .init(
            "mov %rsi, %rax; in %dx, %eax; mov %rax, %r8", "4889f0ed4989c0c3",
            [.rsi: 0x1122_3344_5566_7788, .rdx: 0x1234], exits: ["0x7b 0x12340241 0"],
            results: [.r8: 0x8382_8180]),
        .init(
            ".byte 0x48; in %dx, %eax; mov %rax, %r8", "48ed4989c0c3", [.rdx: 0x1234],
            exits: ["0x7b 0x12340241 0"], results: [.r8: 0x8382_8180]),
        .init(
            "mov %rsi, %rax; out %al, $0x80", "4889f0e680c3", [.rsi: 0x1122_3344_5566_7788],
            exits: ["0x7b 0x800210 0: 88"]),
        .init(
            "mov %rsi, %rax; out %ax, %dx", "4889f066efc3",
            [.rsi: 0x1122_3344_5566_7788, .rdx: 0x1234], exits: ["0x7b 0x12340220 0: 88 77"]),
        .init(
            "mov %rsi, %rax; out %eax, %dx", "4889f0efc3",
            [.rsi: 0x1122_3344_5566_7788, .rdx: 0x1234], exits: ["0x7b 0x12340240 0: 88 77 66 55"]),
        .init(
            "mov %r8, (%rsi); outsw", "4c8906666fc3",
            [.rsi: 0x20_0000, .rdx: 0x1234, .r8: 0x1122_3344_5566_7788],
            exits: ["0x7b 0x12340e24 1: 88 77"], results: [.rsi: 0x20_0002]),
        .init(
            "mov %r8, (%rsi); add $6, %rsi; std; rep outsw; cld", "4c89064883c606fdf3666ffcc3",
            [.rsi: 0x20_0000, .rdx: 0x1234, .rcx: 0x3, .r8: 0x1122_3344_5566_7788],
            exits: ["0x7b 0x12340e2c 3: 22 11 44 33 66 55"], results: [.rsi: 0x20_0000, .rcx: 0x0]),
        .init(
            "rep outsb", "f36ec3", [.rsi: 0x20_0000, .rdx: 0x1234, .rcx: 0x1388],
            exits: ["0x7b 0x12340e1c 2032", "0x7b 0x12340e1c 2032", "0x7b 0x12340e1c 936"],
            results: [.rsi: 0x20_1388, .rcx: 0x0]),
        .init(
            "rep outsl", "f36fc3", [.rsi: 0x20_0000, .rdx: 0x1234, .rcx: 0x3e8],
            exits: ["0x7b 0x12340e4c 508", "0x7b 0x12340e4c 492"],
            results: [.rsi: 0x20_0fa0, .rcx: 0x0]),
        .init(
            "mov %r8, (%rsi); addr32 rep outsb", "4c890667f36ec3",
            [.rsi: 0x20_0000, .rdx: 0x1234, .rcx: 0x3, .r8: 0x1122_3344_5566_7788],
            exits: ["0x7b 0x12340d1c 3: 88 77 66"], results: [.rsi: 0x20_0003, .rcx: 0x0]),
        .init(
            "mov %r8, (%rsi); wrgsbase %rsi; mov %rcx, %rsi; outsb %gs:(%rsi), %dx",
            "4c8906f3480faede4889ce656ec3",
            [.rsi: 0x20_0000, .rdx: 0x1234, .rcx: 0x1, .r8: 0x1122_3344_5566_7788],
            exits: ["0x7b 0x12341614 1: 77"], results: [.rsi: 0x2]),
        .init("rep outsb", "f36ec3", [.rsi: 0x20_0000, .rdx: 0x1234]),
        .init(
            "insb; mov (%rsi), %r8", "6c4c8b06c3",
            [.rdi: 0x20_0000, .rsi: 0x20_0000, .rdx: 0x1234], exits: ["0x7b 0x12340215 1"],
            results: [.rdi: 0x20_0001, .r8: 0x80]),
        .init(
            "rep insw; mov (%rsi), %r8", "f3666d4c8b06c3",
            [.rdi: 0x20_0000, .rsi: 0x20_0000, .rdx: 0x1234, .rcx: 0x3],
            exits: ["0x7b 0x1234022d 3"],
            results: [.rdi: 0x20_0006, .rcx: 0x0, .r8: 0x8584_8382_8180]),
        .init(
            "std; rep insl; cld; mov (%rsi), %r8", "fdf36dfc4c8b06c3",
            [.rdi: 0x20_0004, .rsi: 0x20_0000, .rdx: 0x1234, .rcx: 0x2],
            exits: ["0x7b 0x1234024d 2"],
            results: [.rdi: 0x1f_fffc, .rcx: 0x0, .r8: 0x8382_8180_8786_8584]),
        .init(
            "rep insb; mov 2031(%rsi), %r8w", "f36c66448b86ef070000c3",
            [.rdi: 0x20_0000, .rsi: 0x20_0000, .rdx: 0x1234, .rcx: 0xbb8],
            exits: ["0x7b 0x1234021d 2032", "0x7b 0x1234021d 968"],
            results: [.rdi: 0x20_0bb8, .rcx: 0x0, .r8: 0x80ef]),
    ]

    /// The other instructions that the handler does.
    static let events: [Snippet] = [
        .init(
            "mov %rsi, %rax; mov %rbx, %r10; cpuid; mov %rbx, %r9; mov %r10, %rbx",
            "4889f04989da0fa24989d94c89d3c3",
            [.rsi: 0xdead_0000_0000, .rdx: 0xffff_ffff_ffff_ffff], exits: ["0x72 0x0 0"],
            results: [.r9: 0x6874_7541, .rcx: 0x444d_4163, .rdx: 0x6974_6e65, .r10: 0x0]),
        .init(
            "mov $0xd, %eax; cpuid", "b80d0000000fa2c3", exits: ["0x72 0x0 0 xcr0=0x1"],
            changed: [.rcx, .rdx]),
        .init(
            "mov %cr4, %rax; or $0x40000, %rax; mov %rax, %cr4; mov $3, %eax; xor %edx, %edx; "
                + "xsetbv; mov $0xd, %eax; cpuid",
            "0f20e0480d000004000f22e0b80300000031d20f01d1b80d0000000fa2c3",
            exits: ["0x72 0x0 0 xcr0=0x3"], changed: [.rcx, .rdx]),
        .init(
            "stc; std; mov $1, %eax; cpuid; pushfq; cld; pop %r8; and $0x401, %r8d",
            "f9fdb8010000000fa29cfc41584181e001040000c3", exits: ["0x72 0x0 0"],
            results: [.r8: 0x401], changed: [.rcx, .rdx]),
        .init(
            "rdmsr; mov %rax, %r8", "0f324989c0c3",
            [.rdx: 0xffff_ffff_ffff_ffff, .rcx: 0xffff_ffff_0000_001b], exits: ["0x7c 0x0 0"],
            results: [.r8: 0xfee0_0900, .rdx: 0x0]),
        .init(
            "mov %rsi, %rax; wrmsr; rdmsr; mov %rax, %r8", "4889f00f300f324989c0c3",
            [.rsi: 0xdead_0000_0806, .rcx: 0x2ff], exits: ["0x7c 0x1 0", "0x7c 0x0 0"],
            results: [.r8: 0x806, .rdx: 0x0]),
        .init("wbinvd", "0f09c3", exits: ["0x89 0x0 0"]),
        .init("invd", "0f08c3", exits: ["0x76 0x0 0"]),
        .init(
            "mov %rsi, %rax; monitor", "4889f00f01c8c3", [.rsi: 0x20_0000], exits: ["0x8a 0x0 0"]),
        .init("mwait", "0f01c9c3", exits: ["0x8b 0x0 0"]),
        .init(
            "mov $99, %eax; vmmcall; mov %rax, %r8", "b8630000000f01d94989c0c3", [.rsi: 0x5],
            exits: ["0x81 0x0 0 cpl=0x0"], results: [.r8: 0xffff_ffff_ffff_fc18]),
        .init("mov %dr7, %r8", "410f21f8c3", results: [.r8: 0x400]),
        .init(
            "mov %rsi, %dr7; mov %dr7, %r9; mov %dr7, %rdx", "0f23fe410f21f90f21fac3",
            [.rsi: 0xffff_ffff], exits: ["0x37 0x0 0"],
            results: [.r9: 0xffff_27ff, .rdx: 0xffff_27ff]),
    ]

    /// What the handler gives up on.
    static let terminations: [Snippet] = [
        .init("rdmsr", "0f32c3", [.rcx: 0xc001_1fff], exits: ["0x7c 0x0 0"], end: .exception),
        .init("mov %rsi, %dr7", "0f23fec3", [.rsi: 0x1_0000_0000], end: .exception),
        .init("rdpru", "0f01fdc3", end: .unsupported),
        .init("add (%rdi), %eax", "0307c3", [.rdi: 0xfe00_0100], end: .notDecoded),
        .init("push (%rdi)", "ff37c3", [.rdi: 0xfe00_0100], end: .notDecoded),
        .init("movdqu (%rdi), %xmm0", "f30f6f07c3", [.rdi: 0xfe00_0100], end: .notDecoded),
        .init(
            "insb", "6cc3", [.rdi: 0xfe00_0100, .rdx: 0x1234], exits: ["0x7b 0x12340215 1"],
            end: .nested),
        .init("outsb", "6ec3", [.rsi: 0xfe00_0100, .rdx: 0x1234], end: .nested),
    ]
}

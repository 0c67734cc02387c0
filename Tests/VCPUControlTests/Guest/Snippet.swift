import Testing
import VCPUControl

/// A few instructions as a flat guest, and what the stub's #VC handler must make of them.
///
/// The guest is entered at 0x100000 and ends with RET; memory at 0x200000 is free for its use.
struct Snippet: Sendable, CustomTestStringConvertible {
    /// The source of `code`.
    var assembly: String
    var code: [UInt8]
    /// The argument registers at the entry; zero where nothing is said.
    var arguments: [Register: UInt64]
    /// The exits: code, information words, and up to eight bytes of what the guest sends.
    var exits: [String]
    /// Registers at the end; those not named are unchanged, except for RAX.
    var results: [Register: UInt64]
    /// Registers at the end that may have any value.
    var changed: Set<Register>
    /// How the stub ends the VM; `nil`: the guest returns.
    var end: StubTermination?

    init(
        _ assembly: String, _ code: String, _ arguments: [Register: UInt64] = [:],
        exits: [String] = [], results: [Register: UInt64] = [:], changed: Set<Register> = [],
        end: StubTermination? = nil
    ) {
        self.assembly = assembly
        self.code = stride(from: 0, to: code.count, by: 2).compactMap {
            UInt8(code.dropFirst($0).prefix(2), radix: 16)
        }
        self.arguments = arguments
        self.exits = exits
        self.results = results
        self.changed = changed
        self.end = end
    }

    var testDescription: String { assembly }
}

extension Snippet {
    /// MMIO reads: addressing forms, operand sizes and extensions.
    static let loads: [Snippet] = [
        .init(
            "mov (%rdi), %edx", "8b17c3", [.rdi: 0xfe00_0100, .rdx: 0xffff_ffff_ffff_ffff],
            exits: ["0x80000001 0xfe000100 4"], results: [.rdx: 0x8382_8180]),
        .init(
            "mov 4(%rdi), %r8w", "66448b4704c3", [.rdi: 0xfe00_0100, .r8: 0x1122_3344_5566_7788],
            exits: ["0x80000001 0xfe000104 2"], results: [.r8: 0x1122_3344_5566_8584]),
        .init(
            "mov 1(%rdi), %ch", "8a6f01c3", [.rdi: 0xfe00_0100, .rcx: 0x1122_3344_5566_77ff],
            exits: ["0x80000001 0xfe000101 1"], results: [.rcx: 0x1122_3344_5566_81ff]),
        .init(
            "mov 1(%rdi), %sil", "408a7701c3", [.rdi: 0xfe00_0100, .rsi: 0x1122_3344_5566_7788],
            exits: ["0x80000001 0xfe000101 1"], results: [.rsi: 0x1122_3344_5566_7781, .rcx: 0x0]),
        .init(
            "mov (%rdi,%rcx,4), %r9", "4c8b0c8fc3", [.rdi: 0xfe00_0100, .rcx: 0x4],
            exits: ["0x80000001 0xfe000110 8"], results: [.r9: 0x9796_9594_9392_9190]),
        .init(
            "mov -0x10(%rdi,%rcx), %r9d", "448b4c0ff0c3",
            [.rdi: 0xfe00_0100, .rcx: 0x18, .r9: 0xffff_ffff_ffff_ffff],
            exits: ["0x80000001 0xfe000108 4"], results: [.r9: 0x8b8a_8988]),
        .init(
            "mov 0x40(%rsi,%r9,8), %rdx", "4a8b54ce40c3",
            [.rdi: 0xfe00_0100, .rsi: 0xfdff_f900, .r9: 0x100], exits: ["0x80000001 0xfe000140 8"],
            results: [.rdx: 0xc7c6_c5c4_c3c2_c1c0]),
        .init(
            "mov (,%rdi,1), %edx", "8b143d00000000c3", [.rdi: 0xfe00_0100],
            exits: ["0x80000001 0xfe000100 4"], results: [.rdx: 0x8382_8180]),
        .init(
            "mov %rdi, %r13; mov (%r13), %edx", "4989fd418b5500c3", [.rdi: 0xfe00_0100],
            exits: ["0x80000001 0xfe000100 4"], results: [.rdx: 0x8382_8180]),
        .init(
            "mov %rdi, %r12; mov 0x100(%r12), %edx", "4989fc418b942400010000c3",
            [.rdi: 0xfe00_0100], exits: ["0x80000001 0xfe000200 4"], results: [.rdx: 0x8382_8180]),
        .init(
            "addr32 mov 0xfe000100, %edx", "678b1425000100fec3", [.rdi: 0xfe00_0100],
            exits: ["0x80000001 0xfe000100 4"], results: [.rdx: 0x8382_8180]),
        .init(
            "mov (%edi,%ecx), %edx", "678b140fc3", [.rdi: 0xfe00_0100, .rcx: 0x1_0000_0004],
            exits: ["0x80000001 0xfe000104 4"], results: [.rdx: 0x8786_8584]),
        .init(
            "movabs 0xfe000102, %al", "a0020100fe00000000c3", [.rdi: 0xfe00_0100],
            exits: ["0x80000001 0xfe000102 1"]),
        .init(
            "movabs 0xfe000108, %rax; mov %rax, %rdx", "48a1080100fe000000004889c2c3",
            [.rdi: 0xfe00_0100], exits: ["0x80000001 0xfe000108 8"],
            results: [.rdx: 0x8f8e_8d8c_8b8a_8988]),
        .init(
            "mov 0xfe000104, %eax with 67h; mov %rax, %rdx", "67a1040100fe4889c2c3",
            [.rdi: 0xfe00_0100], exits: ["0x80000001 0xfe000104 4"], results: [.rdx: 0x8786_8584]),
        .init(
            "wrfsbase %rsi; mov %fs:8(%rdx), %ecx", "f3480faed6648b4a08c3",
            [.rdi: 0xfe00_0100, .rsi: 0xfe00_0100, .rdx: 0x8], exits: ["0x80000001 0xfe000110 4"],
            results: [.rcx: 0x9392_9190]),
        .init(
            "wrgsbase %rsi; mov %gs:8(%rdx), %ecx", "f3480faede658b4a08c3",
            [.rdi: 0xfe00_0100, .rsi: 0xfe00_0100, .rdx: 0x8], exits: ["0x80000001 0xfe000110 4"],
            results: [.rcx: 0x9392_9190]),
        .init(
            "movzbl 1(%rdi), %edx", "0fb65701c3", [.rdi: 0xfe00_0100, .rdx: 0xffff_ffff_ffff_ffff],
            exits: ["0x80000001 0xfe000101 1"], results: [.rdx: 0x81]),
        .init(
            "movzbw 1(%rdi), %dx", "660fb65701c3",
            [.rdi: 0xfe00_0100, .rdx: 0x1122_3344_5566_7788], exits: ["0x80000001 0xfe000101 1"],
            results: [.rdx: 0x1122_3344_5566_0081]),
        .init(
            "movzwq 2(%rdi), %r8", "4c0fb74702c3", [.rdi: 0xfe00_0100, .r8: 0xffff_ffff_ffff_ffff],
            exits: ["0x80000001 0xfe000102 2"], results: [.r8: 0x8382]),
        .init(
            "movsbl 1(%rdi), %edx", "0fbe5701c3", [.rdi: 0xfe00_0100],
            exits: ["0x80000001 0xfe000101 1"], results: [.rdx: 0xffff_ff81]),
        .init(
            "movsbq 1(%rdi), %r9", "4c0fbe4f01c3", [.rdi: 0xfe00_0100],
            exits: ["0x80000001 0xfe000101 1"], results: [.r9: 0xffff_ffff_ffff_ff81]),
        .init(
            "movsbw 1(%rdi), %dx", "660fbe5701c3",
            [.rdi: 0xfe00_0100, .rdx: 0x1122_3344_5566_7788], exits: ["0x80000001 0xfe000101 1"],
            results: [.rdx: 0x1122_3344_5566_ff81]),
        .init(
            "movswl 2(%rdi), %edx", "0fbf5702c3", [.rdi: 0xfe00_0100],
            exits: ["0x80000001 0xfe000102 2"], results: [.rdx: 0xffff_8382]),
        .init(
            "movswq 2(%rdi), %rdx", "480fbf5702c3", [.rdi: 0xfe00_0100],
            exits: ["0x80000001 0xfe000102 2"], results: [.rdx: 0xffff_ffff_ffff_8382]),
        .init(
            "movslq 4(%rdi), %rdx", "48635704c3", [.rdi: 0xfe00_0100],
            exits: ["0x80000001 0xfe000104 4"], results: [.rdx: 0xffff_ffff_8786_8584]),
    ]

    /// MMIO writes: from registers, immediates and RAX.
    static let stores: [Snippet] = [
        .init(
            "mov %edx, (%rdi)", "8917c3", [.rdi: 0xfe00_0100, .rdx: 0xffff_ffff_1234_5678],
            exits: ["0x80000002 0xfe000100 4: 78 56 34 12"]),
        .init(
            "mov %r9, 8(%rdi)", "4c894f08c3", [.rdi: 0xfe00_0100, .r9: 0x1122_3344_5566_7788],
            exits: ["0x80000002 0xfe000108 8: 88 77 66 55 44 33 22 11"]),
        .init(
            "mov %ch, (%rdi)", "882fc3", [.rdi: 0xfe00_0100, .rcx: 0x7788],
            exits: ["0x80000002 0xfe000100 1: 77"]),
        .init(
            "mov %sil, (%rdi)", "408837c3", [.rdi: 0xfe00_0100, .rsi: 0x7788],
            exits: ["0x80000002 0xfe000100 1: 88"]),
        .init(
            "mov %r8w, (%rdi)", "66448907c3", [.rdi: 0xfe00_0100, .r8: 0x66_7788],
            exits: ["0x80000002 0xfe000100 2: 88 77"]),
        .init(
            "movb $0x5a, 1(%rdi)", "c647015ac3", [.rdi: 0xfe00_0100],
            exits: ["0x80000002 0xfe000101 1: 5a"]),
        .init(
            "movw $0x1234, 2(%rdi,%rcx)", "66c7440f023412c3", [.rdi: 0xfe00_0100, .rcx: 0x4],
            exits: ["0x80000002 0xfe000106 2: 34 12"]),
        .init(
            "movl $0x12345678, (%rdi)", "c70778563412c3", [.rdi: 0xfe00_0100],
            exits: ["0x80000002 0xfe000100 4: 78 56 34 12"]),
        .init(
            "movq $-2, (%rdi)", "48c707feffffffc3", [.rdi: 0xfe00_0100],
            exits: ["0x80000002 0xfe000100 8: fe ff ff ff ff ff ff ff"]),
        .init(
            "mov %rsi, %rax; movabs %eax, 0xfe000104", "4889f0a3040100fe00000000c3",
            [.rdi: 0xfe00_0100, .rsi: 0x1122_3344],
            exits: ["0x80000002 0xfe000104 4: 44 33 22 11"]),
        .init(
            "mov %rsi, %rax; stosw", "4889f066abc3", [.rdi: 0xfe00_0100, .rsi: 0x1122_3344],
            exits: ["0x80000002 0xfe000100 2: 44 33"], results: [.rdi: 0xfe00_0102]),
        .init(
            ".byte 0x67, 0xc6, 0x05; .long 0xfdf000f8; .byte 0x5a", "67c605f800f0fd5ac3",
            exits: ["0x80000002 0xfe000100 1: 5a"]),
        .init(
            ".byte 0x66, 0x67, 0xc7, 0x05; .long 0xfdf000f6; .word 0x1234",
            "6667c705f600f0fd3412c3", exits: ["0x80000002 0xfe000100 2: 34 12"]),
        .init(
            ".byte 0x67, 0xc7, 0x05; .long 0xfdf000f5; .long 0x12345678",
            "67c705f500f0fd78563412c3", exits: ["0x80000002 0xfe000100 4: 78 56 34 12"]),
    ]

    /// STOS and MOVS with one or both ends where no RAM is.
    static let strings: [Snippet] = [
        .init(
            "mov %rsi, %rax; rep stosl", "4889f0f3abc3",
            [.rdi: 0xfe00_0100, .rsi: 0x1122_3344, .rcx: 0x2],
            exits: [
                "0x80000002 0xfe000100 4: 44 33 22 11", "0x80000002 0xfe000104 4: 44 33 22 11",
            ], results: [.rdi: 0xfe00_0108, .rcx: 0x0, .rsi: 0x1122_3344]),
        .init(
            "std; mov %rsi, %rax; rep stosb; cld", "fd4889f0f3aafcc3",
            [.rdi: 0xfe00_0100, .rsi: 0x1122_3344, .rcx: 0x2],
            exits: ["0x80000002 0xfe000100 1: 44", "0x80000002 0xfe0000ff 1: 44"],
            results: [.rdi: 0xfe00_00fe, .rcx: 0x0]),
        .init(
            "movsq; mov -8(%rdi), %r8", "48a54c8b47f8c3", [.rdi: 0x20_0000, .rsi: 0xfe00_0100],
            exits: ["0x80000001 0xfe000100 8"],
            results: [.rsi: 0xfe00_0108, .rdi: 0x20_0008, .r8: 0x8786_8584_8382_8180]),
        .init(
            "mov %r8, (%rsi); movsl", "4c8906a5c3",
            [.rdi: 0xfe00_0100, .rsi: 0x20_0000, .r8: 0x1122_3344_5566_7788],
            exits: ["0x80000002 0xfe000100 4: 88 77 66 55"],
            results: [.rdi: 0xfe00_0104, .rsi: 0x20_0004]),
        .init(
            "rep movsw", "f366a5c3", [.rdi: 0xfe00_0200, .rsi: 0xfe00_0100, .rcx: 0x2],
            exits: [
                "0x80000001 0xfe000100 2", "0x80000002 0xfe000200 2: 80 81",
                "0x80000001 0xfe000102 2", "0x80000002 0xfe000202 2: 82 83",
            ], results: [.rdi: 0xfe00_0204, .rsi: 0xfe00_0104, .rcx: 0x0]),
        .init(
            "wrfsbase %r8; movsb %fs:(%rsi), (%rdi)", "f3490faed064a4c3",
            [.rdi: 0x20_0000, .rsi: 0x100, .r8: 0xfe00_0000], exits: ["0x80000001 0xfe000100 1"],
            results: [.rdi: 0x20_0001, .rsi: 0x101]),
        .init(
            "addr32 rep movsb", "67f3a4c3",
            [.rdi: 0xff_0020_0000, .rsi: 0xff_fe00_0100, .rcx: 0xff_0000_0002],
            exits: ["0x80000001 0xfe000100 1", "0x80000001 0xfe000101 1"],
            results: [.rdi: 0x20_0002, .rsi: 0xfe00_0102, .rcx: 0x0]),
    ]
}

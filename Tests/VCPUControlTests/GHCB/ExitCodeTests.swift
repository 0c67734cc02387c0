import Foundation
import Testing
import VCPUControl

@Suite("Exit codes")
struct ExitCodeTests {
    static let header = "/usr/include/x86_64-linux-gnu/asm/svm.h"

    @Test("each name stands for one code, and is found in upper and lower case")
    func names() {
        let table = ExitCode.table
        #expect(Set(table.map(\.code)).count == table.count)
        #expect(Set(table.map(\.name)).count == table.count)
        for row in table {
            #expect(row.code.name == row.name)
            #expect(ExitCode(named: row.name.lowercased()) == row.code)
        }
    }

    @Test("the table is that of the specification, range by range")
    func ranges() {
        let codes = Set(ExitCode.table.map(\.code.rawValue))
        let ranges: [ClosedRange<UInt64>] = [
            0x00...0xa3, 0xa5...0xa6, 0x400...0x404, 0x406...0x406, 0x8000_0001...0x8000_0005,
            0x8000_0010...0x8000_0018, 0x8000_001a...0x8000_001d, 0x8000_0020...0x8000_0021,
            0x8000_fffd...0x8000_ffff, .max - 3 ... .max,
        ]
        #expect(codes == Set(ranges.joined()))
    }

    @Test(
        "names where the specification has them",
        arguments: [
            (0x00, "READ_CR0"), (0x27, "READ_DR7"), (0x37, "WRITE_DR7"), (0x41, "EXCP_DB"),
            (0x4f, "EXCP_15"), (0x5d, "EXCP_VC"), (0x60, "INTR"), (0x6d, "TR_WRITE"),
            (0x72, "CPUID"), (0x7b, "IOIO"), (0x7c, "MSR"), (0x7f, "SHUTDOWN"), (0x81, "VMMCALL"),
            (0x87, "RDTSCP"), (0x8f, "EFER_WRITE_TRAP"), (0x94, "CR4_WRITE_TRAP"),
            (0xa2, "INVPCID"), (0xa6, "IDLE_HLT"), (0x400, "NPF"), (0x403, "VMGEXIT"),
            (0x8000_0001, "MMIO_READ"), (0x8000_0002, "MMIO_WRITE"), (0x8000_0003, "NMI_COMPLETE"),
            (0x8000_0004, "AP_RESET_HOLD"), (0x8000_0005, "AP_JUMP_TABLE"), (0x8000_0010, "PSC"),
            (0x8000_0013, "AP_CREATION"), (0x8000_0018, "RUN_VMPL"), (0x8000_fffd, "HV_FEATURES"),
            (0x8000_fffe, "TERMINATION"), (0x8000_ffff, "UNSUPPORTED"), (UInt64.max, "INVALID"),
            (UInt64.max - 3, "INVALID_PMC"),
        ])
    func specificationNames(_ code: UInt64, _ name: String) {
        #expect(ExitCode(code).name == name)
    }

    @Test("aliases lead to the same code, other words to none")
    func aliases() {
        #expect(ExitCode(named: "ap_hlt_loop") == .apResetHold)
        #expect(ExitCode(named: "DR7_Read") == .readDR7)
        #expect(ExitCode(named: "term_request") == .termination)
        #expect(ExitCode(named: "") == nil)
        #expect(ExitCode(named: "0x72") == nil)
        #expect(ExitCode(0x8000_0006).name == nil)
    }

    /// The kernel's names that differ from the specification's, or are no exit codes.
    static let different = [
        "EXCP_BASE", "LAST_EXCP", "AP_HLT_LOOP", "TERM_REQUEST", "UNSUPPORTED_EVENT", "ERR", "SW",
        "SET_AP_JUMP_TABLE", "GET_AP_JUMP_TABLE", "AP_CREATE_ON_INIT", "AP_CREATE", "AP_DESTROY",
    ]

    @Test(
        "codes and names are those of the installed <asm/svm.h>",
        .enabled(
            if: FileManager.default.fileExists(atPath: header), "needs the kernel's user headers"))
    func kernelHeader() throws {
        let text = try String(contentsOfFile: Self.header, encoding: .utf8)
        var compared = 0
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count >= 3, words[0] == "#define", words[2].hasPrefix("0x"),
                let code = UInt64(words[2].dropFirst(2), radix: 16),
                let prefix = ["SVM_EXIT_", "SVM_VMGEXIT_"].first(where: words[1].hasPrefix)
            else { continue }
            let name = String(words[1].dropFirst(prefix.count))
            guard !Self.different.contains(name) else { continue }
            #expect(ExitCode(code).name == name)
            compared += 1
        }
        #expect(compared > 90)
    }
}

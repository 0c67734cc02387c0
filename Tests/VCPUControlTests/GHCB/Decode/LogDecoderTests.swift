import Testing
import VCPUControl

@Suite("Lines of logs and traces")
struct LogDecoderTests {
    /// Lines as kernels and tools print them, with the message, and words of the explanation.
    static let samples: [(String, String, String)] = [
        (
            "[ 1234.567890] kvm_amd: kvm [4711]: vcpu0, guest rIP: 0x0 vmgexit: exit code 0x72"
                + " input is not valid", "invalid-input", "RAX, RCX"
        ),
        (
            "kvm [4711]: vcpu3, guest rIP: 0xfffffff0 vmgexit: exit code 0x80000010 input is not"
                + " valid", "invalid-input", "SEV-SNP"
        ),
        (
            "kernel: kvm [1]: vcpu1, guest rIP: 0x0 vmgexit: exit reason 0x73 is not valid",
            "invalid-event", "RSM"
        ),
        ("vmgexit: exit code 0x1234 is not valid\r", "invalid-event", "INVALID_EVENT"),
        ("vmgexit: ghcb usage 0x1 is not valid", "invalid-usage", "GHCB_USAGE is 0x1"),
        (
            "vmgexit: unsupported event - exit_info_1=0x7d, exit_info_2=0x0", "unsupported-event",
            "TASK_SWITCH"
        ),
        ("vmgexit: GHCB gpa is not set", "ghcb-not-set", "MSR is 0"),
        ("vmgexit: error mapping GHCB [0x1000000] from guest", "ghcb-not-mappable", "0x1000000"),
        (
            "vcpu0, guest rIP: 0x0 vmgexit: GHCB GPA [0x4e14000] is not registered.",
            "ghcb-not-registered", "0x012"
        ),
        ("vmgexit: GHCB GPA [0x4e14000] is not registered", "ghcb-not-registered", "EINVAL"),
        ("vmgexit: scratch gpa not provided", "scratch-missing", "INVALID_SCRATCH_AREA"),
        (
            "vmgexit: scratch area is outside of GHCB shared buffer area (0x10400 - 0x10408)",
            "scratch-outside-buffer", "0x10400-0x10407"
        ),
        (
            "vmgexit: scratch area exceeds KVM limits (0x10001 requested, 0x10000 limit)",
            "scratch-too-long", "0x10001"
        ),
        (
            "svm: vmgexit: unsupported AP jump table request - exit_info_1=0x2",
            "ap-jump-table-operation", "0x2"
        ),
        (
            "vcpu1, guest rIP: 0x0 vmgexit: invalid AP APIC ID [0x3] from guest", "ap-creation",
            "INVALID_INPUT"
        ),
        (
            "vmgexit: AP VMSA address [200000] from guest is unsafe as it is 2M aligned",
            "ap-creation", "AP_CREATION"
        ),
        ("SEV-ES guest requested termination: 0x3:0x1", "termination-msr", "not VMPL0"),
        (
            "SEV-ES guest requested termination: 0x1:0x4", "termination-msr",
            "set 1 code 4: CPUID"
        ),
        (
            "SEV-ES guest requested termination: 0x0:0x0", "termination-msr",
            "set 0 code 0: general request"
        ),
        (
            "SEV-ES guest requested termination: reason 0x1f0 info 0x0", "termination-page",
            "set 0 code 31"
        ),
        ("vcpu0, guest rIP: 0x0 svm: unexpected exit reason 0x6e", "unexpected-exit", "RDTSC"),
        (
            "  qemu-system-x86-4711  [003]  100.000001: kvm_vmgexit_enter:    vcpu 0, exit_reason"
                + " 7b, exit_info1 3f80210, exit_info2 0", "vmgexit-enter",
            "OUT, port 0x3f8, 1 byte"
        ),
        (
            " CPU 0/KVM-4711 [003] d..1. 100.000001: kvm_vmgexit_enter: vcpu 0, exit_reason"
                + " 80000001, exit_info1 fee00000, exit_info2 4", "vmgexit-enter", "0xfee00000"
        ),
        (
            "kvm:kvm_vmgexit_exit: vcpu 2, exit_reason 7c, exit_info1 1, exit_info2 8000030d",
            "vmgexit-exit", "#GP"
        ),
        (
            "kvm_vmgexit_exit: vcpu 2, exit_reason 72, exit_info1 2, exit_info2 4", "vmgexit-exit",
            "MISSING_INPUT"
        ),
        (
            "kvm_vmgexit_msr_protocol_enter: vcpu 1, ghcb_gpa 0000000000000002",
            "vmgexit-msr-protocol-enter", "SEV_INFO_REQ"
        ),
        (
            "kvm_vmgexit_msr_protocol_exit: vcpu 1, ghcb_gpa 0002000133000001, result 1",
            "vmgexit-msr-protocol-exit", "versions 1-2"
        ),
        (
            "[SVSM] ERROR: Failed to write APIC.ICR: Ghcb(VmgexitError(2, 6))", "vmgexit-error",
            "INVALID_EVENT"
        ),
        (
            "Required hypervisor GHCB features not available: present=0x3, required=0x23,"
                + " missing=0x20", "missing-features", "SNP_MULTI_VMPL"
        ),
        ("HV features: present=0x3 required=0x23 missing=0x20", "missing-features", "missing 0x20"),
    ]

    @Test("each line is known, and explained in words", arguments: samples)
    func sample(line: String, message: String, words: String) throws {
        var decoder = LogDecoder()
        let result = decoder.decode(line)
        let decoding = try #require(result)
        #expect(decoding.value["message"] == .text(message))
        #expect(decoding.lines.joined(separator: "\n").contains(words))
        if line.contains("vcpu0, guest") { #expect(decoding.value["vcpu"] == .number(0)) }
    }

    @Test(
        "other lines, and those that end in another way, pass through",
        arguments: [
            "", "vmgexit: ", "vmgexit: exit code 0x72 input is not valid, maybe",
            "vmgexit: exit code 72 input is not valid", "vmgexit: exit code 0x input is not valid",
            "vmgexit: exit code 0x11112222333344445 is not valid",
            "SEV-ES guest requested termination: 1:2", "kvm_vmgexit_enter: vcpu 0, exit_reason 7b",
            "kvm_entry: vcpu 0, rip 0x1000", "VmgexitError(2)", "GHCB (GPA=10000)",
            "valid_bitmap        00000000,00000000,00000000", "set kvm_amd.dump_invalid_vmcb=1",
            "kvm_vmgexit_enter: vcpu 99999999999999999999, exit_reason 1, exit_info1 0, exit_info2 0",
        ])
    func unknown(line: String) {
        var decoder = LogDecoder()
        let decoding = decoder.decode(line)
        #expect(decoding == nil)
    }

    @Test("a task's name cannot pass for a message")
    func hostileName() {
        var decoder = LogDecoder()
        let line =
            "vmgexit: GHCB gpa is not set-1 [0] 1.0: kvm_vmgexit_enter: vcpu 4, exit_reason 72,"
            + " exit_info1 0, exit_info2 0"
        let decoding = decoder.decode(line)
        #expect(decoding?.value["message"] == .text("vmgexit-enter"))
    }

    @Test("a GHCB dump is explained word by word")
    func dump() {
        var decoder = LogDecoder()
        let dump = """
            [  10.1] kvm_amd: GHCB (GPA=0000000001008000):
            [  10.1] kvm_amd: sw_exit_code        000000000000007b is_valid: 0
            [  10.1] kvm_amd: sw_exit_info_1      0000000003f80210 is_valid: 0
            [  10.1] kvm_amd: sw_exit_info_2      0000000000000000 is_valid: 0
            [  10.1] kvm_amd: sw_scratch          0000000001008800 is_valid: 0
            [  10.1] kvm_amd: valid_bitmap        00000000,00000000,00000000,00000000
            """
        let lines = dump.split(separator: "\n").map { decoder.decode(String($0))?.lines.first }
        #expect(
            lines == [
                "the GHCB at 0x1008000, which KVM found an input missing in",
                "0x7b IOIO, event of version 1",
                "SW_EXITINFO1 0x3f80210: OUT, port 0x3f8, 1 byte, 64-bit addresses", "0x0",
                "SW_SCRATCH 0x1008800, page offset 0x800",
                "no bit: KVM wipes the bitmap before it prints it, so what was valid is not known",
            ])
        let bitmap = decoder.decode("valid_bitmap        001c0000,80000000,00000000,00000000")
        #expect(bitmap?.lines == ["valid: bit 95, SW_EXITCODE, SW_EXITINFO1, SW_EXITINFO2"])
        let snapshot = decoder.decode("GHCB (GPA=0000000001008000) snapshot:")
        #expect(snapshot != nil)
    }

    @Test("no line longer than a page is looked at")
    func long() {
        var decoder = LogDecoder()
        let none = decoder.decode(String(repeating: "vmgexit: ", count: 100_000))
        #expect(none == nil)
    }
}

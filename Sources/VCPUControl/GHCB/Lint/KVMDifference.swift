/// A place where KVM 6.12 and the specification do not agree: one row of the table.
package struct KVMDifference: Sendable, Equatable {
    /// Names the row.
    package let id: String
    package let specification: String
    package let kvm: String

    /// Every difference that an SEV-ES guest can meet; REFERENCE 2, 3 and 4.
    package static let table = [
        KVMDifference(
            id: "rdtsc", specification: "event 0x6e (RDTSC) returns the TSC in RDX:RAX",
            kvm: "passes its checks, has no handler: KVM_EXIT_INTERNAL_ERROR ends the VM"),
        KVMDifference(
            id: "rdtscp", specification: "event 0x87 (RDTSCP) returns RDX:RAX and RCX",
            kvm: "injects #UD, with SW_EXITINFO1 = 0"),
        KVMDifference(
            id: "unsupported-event",
            specification: "event 0x8000ffff reports an exit that the guest does not support",
            kvm: "KVM_RUN fails with EINVAL"),
        KVMDifference(
            id: "dr7", specification: "events 0x27 and 0x37 read and write DR7",
            kvm: "returns no value and drops the write"),
        KVMDifference(
            id: "cpuid-xss", specification: "version 2 takes XSS with CPUID leaf 0xd",
            kvm: "neither needs nor reads XSS"),
        KVMDifference(
            id: "cpuid-leaf-width", specification: "the leaf of CPUID is EAX",
            kvm: "asks for XCR0 only where all 64 bits of RAX are 0xd"),
        KVMDifference(
            id: "version-2-events",
            specification:
                "0x8000fffd, 0x8000fffe and MSR requests 0x006 and 0x080 are of version 2",
            kvm: "answers them in every VM"),
        KVMDifference(
            id: "hv-features", specification: "the feature bitmap says what the VM can use",
            kvm: "is 0x3 (SNP, SNP_AP_CREATION) for SEV-ES guests too"),
        KVMDifference(
            id: "protocol-version", specification: "PROTOCOL_VERSION is a version the VM offers",
            kvm: "never reads it"),
        KVMDifference(
            id: "snp-events", specification: "events of SEV-SNP are invalid events for others",
            kvm: "0x80000010-0x80000013 fail with MISSING_INPUT, the others with INVALID_EVENT"),
        KVMDifference(
            id: "snp-msr-requests",
            specification: "MSR requests 0x010, 0x012 and 0x014 are for SEV-SNP guests",
            kvm: "ends an SEV-ES VM that makes one"),
        KVMDifference(
            id: "unknown-msr-request", specification: "the guest may use only defined requests",
            kvm: "leaves the MSR as it is and resumes the guest without a word"),
        KVMDifference(
            id: "msr-cpuid-leaf", specification: "leaf 0xd must not be asked through the MSR",
            kvm: "answers it with ECX = 0"),
        KVMDifference(
            id: "msr-operation", specification: "SW_EXITINFO1 of the MSR event is 0 or 1",
            kvm: "takes every value but 0 for a write"),
        KVMDifference(
            id: "empty-transfer",
            specification: "a port access has 1, 2 or 4 bytes, an MMIO access at least one",
            kvm: "resumes the guest without a word where the size is 0"),
        KVMDifference(
            id: "scratch-limit",
            specification: "version 1 sets no limit to scratch outside the page",
            kvm: "allows 64 KiB"),
        KVMDifference(
            id: "returned-registers", specification: "an event returns the fields of its row",
            kvm: "marks RAX, RBX, RCX and RDX valid after every event"),
    ]
}

internal import CKVM

/// Guests that make one mistake each, as it was posted: docs/bugs.md has the references.
extension BuiltInGuest {
    /// In the order of docs/bugs.md; each breaks its rule once and no other.
    package static let bugs: [BuiltInGuest] =
        poolBugs + pageBugs + requestBugs + msrBugs + mappingBugs + trampolineBugs + guestBugs
        + hypervisorBugs

    private static let poolBugs: [BuiltInGuest] = [
        .init(
            "bug-first-entry", ckvm_blob_bug_first_entry,
            "the pool hands out its first entry always: vCPUs share a GHCB",
            rule: .sharedBetweenVCPUs, entry: "guest_code",
            defaults: LaunchDefaults(vcpus: 2, arguments: [.vcpuNumber])),
        unaligned("kill", entry: 1, "ends the VM"),
        unaligned("features", entry: 8, "is a request for features"),
        unaligned("terminate", entry: 16, "is a request for termination"),
    ]

    /// An address above 16 MiB is no termination request that a guest may mean.
    private static func unaligned(
        _ name: String, entry: UInt64, _ effect: String
    ) -> BuiltInGuest {
        .init(
            "bug-unaligned-\(name)", ckvm_blob_bug_entries,
            "pool entries of 4112 bytes: the address of entry \(entry) \(effect)",
            rule: .misalignedGHCB, base: 16 << 20,
            defaults: LaunchDefaults(memory: 32 << 20, arguments: [.value(entry)]))
    }

    private static let pageBugs: [BuiltInGuest] = [
        .init(
            "bug-memset-pointer", ckvm_blob_bug_pages,
            "memset clears the pointer to the GHCB, and the request goes to address 0",
            rule: .missingInput, entry: "memset_pointer"),
        .init(
            "bug-dirty-page", ckvm_blob_bug_pages,
            "the guest trusts the host to hand the GHCB over zeroed", rule: .usageNonzero,
            entry: "dirty_page"),
    ]

    private static let requestBugs: [BuiltInGuest] = [
        .init(
            "bug-cpuid-rcx", ckvm_blob_bug_requests, "CPUID without RCX in the valid bitmap",
            rule: .missingInput, entry: "cpuid_rcx"),
        .init(
            "bug-msr-info1", ckvm_blob_bug_requests,
            "an MSR is written with SW_EXITINFO1 = 0, which is a read", rule: .invalidInput,
            entry: "msr_info1"),
        .init(
            "bug-register-order", ckvm_blob_bug_requests,
            "RBX, RCX and RDX in the wrong order in the page", rule: .missingInput,
            entry: "register_order"),
        .init(
            "bug-ucall-falls-through", ckvm_blob_bug_ucall,
            "the ucall goes through the GHCB, and then falls into the plain IN",
            rule: .ucallFallsThrough),
    ]

    private static let msrBugs: [BuiltInGuest] = [
        .init(
            "bug-msr-replaced", ckvm_blob_bug_msr,
            "a page request while the MSR holds the answer to an MSR request", rule: .staleMSR,
            entry: "msr_replaced"),
        .init(
            "bug-no-vmgexit", ckvm_blob_bug_msr, "a termination request without VMGEXIT",
            rule: .terminateWithoutVMGEXIT, entry: "no_vmgexit"),
    ]

    private static let mappingBugs: [BuiltInGuest] = [
        .init(
            "bug-c-bit-tlb", ckvm_blob_bug_mappings,
            "the GHCB's C-bit is cleared without a TLB flush", rule: .ghcbNotShared,
            entry: "c_bit_tlb"),
        .init(
            "bug-c-bit-ciphertext", ckvm_blob_bug_mappings,
            "the GHCB is cleared before its C-bit is, not after it", rule: .usageNonzero,
            entry: "c_bit_ciphertext"),
        .init(
            "bug-gpa-as-gva", ckvm_blob_bug_mappings,
            "the GHCB's physical address is used as a virtual one", rule: .missingInput,
            entry: "gpa_as_gva"),
    ]

    private static let trampolineBugs: [BuiltInGuest] = [
        trampoline(
            "bug-no-wrmsr", "no_wrmsr", "the trampoline lacks its WRMSR", rule: .staleMSR),
        trampoline(
            "bug-eax-twice", "eax_twice", "the trampoline puts both halves of the address into eax",
            rule: .ghcbUnset),
        trampoline(
            "bug-r15-shifted", "r15_shifted",
            "the trampoline destroys r15, which the guest takes for its GHCB", rule: .missingInput),
        trampoline(
            "bug-c-prologue", "c_prologue",
            "the trampoline is a C function: its prologue moves rsp and takes rdi",
            rule: .registersNotPreserved),
        trampoline(
            "bug-args-lost", "args_lost", "the trampoline does not keep rcx and rdx",
            rule: .registersNotPreserved),
    ]

    private static func trampoline(
        _ name: String, _ symbol: String, _ summary: String, rule: LintRule
    ) -> BuiltInGuest {
        .init(
            name, ckvm_blob_bug_trampolines, summary, rule: rule, trampoline: symbol,
            defaults: LaunchDefaults(
                arguments: (1...4).map { .value($0) }, isBoundToSetup: true))
    }

    private static let guestBugs: [BuiltInGuest] = [
        .init(
            "bug-vc-error-code", ckvm_blob_bug_vc,
            "the IDT stub for #VC assumes that there is no error code", rule: .vcFrameCorrupt)
    ]

    private static let hypervisorBugs: [BuiltInGuest] = [
        .init(
            "bug-exitinfo1-kept", ckvm_blob_bug_hypervisor,
            "the hypervisor does not clear SW_EXITINFO1 on success", rule: .undefinedAnswer,
            entry: "exitinfo1_kept", faults: .keepsExitInfo1),
        .init(
            "bug-second-ghcb", ckvm_blob_bug_hypervisor,
            "the hypervisor goes on reading the first GHCB after a second is set",
            rule: .pageNotTaken, entry: "second_ghcb", faults: .keepsFirstGHCB),
    ]
}

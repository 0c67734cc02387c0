internal import CKVM

/// A guest that comes with sevdbg: an example, and a probe of the machine it runs on.
package struct BuiltInGuest: Sendable {
    package let name: String
    /// One line that says what the guest shows.
    package let summary: String
    /// What it is launched with where the user does not choose.
    let defaults: LaunchDefaults
    let blob: ckvm_blob
    /// The symbol that it is entered at; its first byte where there is none.
    let entry: String?
    /// Its own trampoline, by its symbol in the blob.
    let trampoline: String?
    /// Where it is loaded.
    let base: UInt64
    /// What is wrong with the hypervisor that it shows.
    let hypervisorFaults: HypervisorFault
    /// The rule that finds what is wrong with the guest; `nil` for one that is correct.
    package let rule: LintRule?

    init(
        _ name: String, _ blob: ckvm_blob, _ summary: String, rule: LintRule? = nil,
        entry: String? = nil, trampoline: String? = nil, base: UInt64 = GuestImage.flatAddress,
        faults: HypervisorFault = [], defaults: LaunchDefaults = LaunchDefaults()
    ) {
        self.name = name
        self.blob = blob
        self.summary = summary
        self.rule = rule
        self.entry = entry
        self.trampoline = trampoline
        self.base = base
        self.hypervisorFaults = faults
        self.defaults = defaults
    }

    /// The guests that do everything right.
    package static let all: [BuiltInGuest] = [
        .init("hello", ckvm_blob_hello, "a line on the console by one exit through the GHCB page"),
        .init(
            "smoke", ckvm_blob_smoke, "the kernel's sev_smoke_test: SEV_STATUS, then termination"),
        .init("cpuid", ckvm_blob_cpuid, "CPUID by the page, by the MSR protocol and by #VC"),
        .init("msr", ckvm_blob_msr, "MSRs read and written, and the #GP for an unknown one"),
        .init("ioio", ckvm_blob_ioio, "ports: IN and OUT in all sizes, and strings both ways"),
        .init("mmio", ckvm_blob_mmio, "memory where no RAM is: a serial port, and nothing"),
        .init("ucall", ckvm_blob_ucall, "a text to the host as the KVM selftests send it"),
        .init(
            "smp", ckvm_blob_smp, "all vCPUs use their GHCBs at once; no two share a page",
            defaults: LaunchDefaults(arguments: [.vcpuNumber])),
        .init(
            "hv-features", ckvm_blob_hv_features,
            "the hypervisor's features, by the MSR protocol and by the page"),
        .init("nested-vc", ckvm_blob_nested_vc, "an IDT of its own, and a #VC in its #VC handler"),
        .init("spin", ckvm_blob_spin, "a loop of 50 million instructions, or of $rdi iterations"),
    ]

    package static subscript(name: String) -> BuiltInGuest? {
        (all + bugs).first { $0.name == name }
    }

    /// The guest as an image; most lie where a flat binary does.
    package var image: GuestImage {
        let blob = GuestBlob(blob)
        let end = base + UInt64(blob.code.count)
        return GuestImage(
            name: name, entry: GuestVirtualAddress(base + (entry.map { blob[$0] } ?? 0)),
            segments: [
                .init(address: .init(base), bytes: blob.code, memorySize: UInt64(blob.code.count))
            ],
            shared: blob.sharedOffset.map { [base + $0..<end.roundedUpToPage] } ?? [],
            symbols: SymbolTable(symbols(of: blob)), defaults: defaults,
            hypervisorFaults: hypervisorFaults)
    }

    /// The blob's symbols, and the name by which a launch knows a trampoline.
    private func symbols(of blob: GuestBlob) -> [SymbolTable.Symbol] {
        let own = trampoline.map { [(name: "ghcb_trampoline", offset: blob[$0])] } ?? []
        return (blob.symbols + own).map {
            .init(name: $0.name, address: .init(base + $0.offset))
        }
    }
}

internal import CKVM

/// What the KVM of a host offers SEV-ES guests, found out without a VM.
struct EncryptedHost: Sendable, Equatable {
    /// Whether VMs have a type of their own for SEV-ES, and with it `KVM_SEV_INIT2` (Linux 6.10).
    var hasTypedVMs: Bool
    /// The position of the C-bit; CPUID 8000_001F, EBX[5:0].
    var cBit: Int
    /// What a VMSA can have.
    var features: SEVFeatures

    /// - Throws: `.lacks` where this KVM has no encrypted guests.
    init(_ system: borrowing SystemFD) throws(KVMError) {
        let types = try system.extensionValue(KVM_CAP_VM_TYPES)
        hasTypedVMs = types & 1 << Int(KVM_X86_SEV_ES_VM) != 0
        guard let leaf = try system.supportedCPUID().first(where: { $0.function == 0x8000_001f }),
            leaf.eax & Self.sevES != 0
        else {
            throw .lacks(
                "this KVM has no SEV-ES guests: it takes an EPYC with SEV-ES, and kvm_amd loaded with"
                    + " sev=1 sev_es=1")
        }
        cBit = Int(leaf.ebx & 0x3f)
        // Kernels with typed VMs but without the attribute offer no feature.
        features = hasTypedVMs ? SEVFeatures(rawValue: (try? system.vmsaFeatures()) ?? 0) : []
    }

    /// EAX[3].
    private static let sevES: UInt32 = 1 << 3

    var vmType: Int32 { hasTypedVMs ? KVM_X86_SEV_ES_VM : KVM_X86_DEFAULT_VM }
    /// Of the GHCB protocol.
    var highestVersion: Int { hasTypedVMs ? 2 : 1 }
}

/// What was decided for a launch, and what the firmware made of it.
struct EncryptedLaunch: Sendable, Equatable {
    let host: EncryptedHost
    var features: SEVFeatures
    var ghcbVersion: Int
    /// Debugging is allowed: NODBG is clear.
    let policy: GuestPolicy = .sevES
    /// HMAC, and the nonce that it was made with; empty before LAUNCH_MEASURE.
    var measurement: [UInt8] = []

    init(_ host: EncryptedHost, _ plan: LaunchPlan) {
        self.host = host
        features = host.features.intersection(.debugSwap)
        ghcbVersion = plan.ghcbVersion
    }

    /// The state of a guest after LAUNCH_START; REFERENCE 5b.
    static let updating: UInt32 = 1
    /// Bytes of one LAUNCH_UPDATE_DATA; a length is 32 bits, and KVM pins what is encrypted.
    static let longestUpdate: UInt64 = 1 << 30
    /// `SEV_FW_BLOB_MAX_SIZE`.
    static let longestMeasurement: UInt32 = 0x4000
    /// IA32_PAT and its value at reset, which is in the VMSA and so in the measurement.
    static let pageAttributes: (number: UInt32, value: UInt64) = (0x277, 0x0007_0406_0007_0406)

    /// What `info setup` shows of the launch: name and value.
    var facts: [MachineFact] {
        let start = host.hasTypedVMs ? "KVM_SEV_INIT2" : "KVM_SEV_ES_INIT (before Linux 6.10)"
        let names = features.names.joined(separator: " ")
        var facts = [
            MachineFact("launched by", "\(start), GHCB protocol version \(ghcbVersion) at most"),
            MachineFact(
                "policy", "\(policy.rawValue.hex) (\(policy.names.joined(separator: " ")))"),
            MachineFact("VMSA", names.isEmpty ? "no features" : names),
        ]
        if !measurement.isEmpty {
            facts.append(
                MachineFact("measured", measurement.map { $0.hexDigits(2) }.joined()))
        }
        return facts
    }
}

extension LaunchPlan {
    /// All RAM but the shared pages; private is what no region says otherwise.
    ///
    /// Pages of zeros are among it: a private page that was never encrypted reads as noise.
    var privateRanges: [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        var start: UInt64 = 0
        for shared in sharedRanges {
            if shared.lowerBound > start { ranges.append(start..<shared.lowerBound) }
            start = max(start, shared.upperBound)
        }
        if start < ramSize { ranges.append(start..<ramSize) }
        return ranges
    }

    /// In whole pages, in ascending order.
    var sharedRanges: [Range<UInt64>] {
        regions.filter { !$0.isPrivate && !$0.bytes.isEmpty }.map { region in
            let start = region.address.rawValue & ~0xfff
            return start..<(region.address.rawValue + UInt64(region.bytes.count)).roundedUpToPage
        }.sorted { $0.lowerBound < $1.lowerBound }
    }
}

// A vCPU's first state in KVM's structs.

extension kvm_regs {
    init(_ file: RegisterFile) {
        self.init(
            rax: file[.rax], rbx: file[.rbx], rcx: file[.rcx], rdx: file[.rdx], rsi: file[.rsi],
            rdi: file[.rdi], rsp: file[.rsp], rbp: file[.rbp], r8: file[.r8], r9: file[.r9],
            r10: file[.r10], r11: file[.r11], r12: file[.r12], r13: file[.r13], r14: file[.r14],
            r15: file[.r15], rip: file[.rip], rflags: file[.rflags])
    }
}

extension kvm_sregs {
    /// All of it, as it goes into the VMSA.
    init(launch system: SystemRegisters, _ initial: kvm_sregs) {
        self.init(system, initial)
        (cr0, cr4, efer) = (system.cr0, system.cr4, system.efer)
    }
}

extension kvm_xcrs {
    init(xcr0: UInt64) {
        self.init()
        nr_xcrs = 1
        xcrs.0.value = xcr0
    }
}

extension kvm_cpuid_entry2 {
    /// What KVM offers, with the vCPU's APIC ID where CPUID tells it.
    func of(vcpu number: Int) -> kvm_cpuid_entry2 {
        var entry = self
        let identifier = UInt32(clamping: number)
        switch function {
        case 1: entry.ebx = ebx & 0x00ff_ffff | identifier << 24
        case 0xb, 0x8000_0026: entry.edx = identifier
        case 0x8000_001e: entry.eax = identifier
        default: break
        }
        return entry
    }
}

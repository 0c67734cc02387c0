/// A breach of a rule before it is tied to a vCPU and an instruction.
struct Breach: Sendable, Equatable {
    let rule: LintRule
    let fact: String
    /// What makes two breaches of one rule the same error; the fact where nothing else is said.
    let key: String
    let severity: LintRule.Severity

    init(_ rule: LintRule, _ fact: String, key: String? = nil) {
        self.rule = rule
        self.fact = fact
        self.key = key ?? fact
        severity = rule.severity
    }

    /// What only the specification forbids: a note, for KVM lets it pass and a known guest does it.
    init(_ rule: LintRule, _ fact: String, toleratedAs custom: String) {
        self.rule = rule
        self.fact = "\(fact) (\(custom))"
        key = fact
        severity = .note
    }
}

/// What is wrong with a request page by itself: no history, no other vCPU.
///
/// Any 4096 bytes are judged. One error is one breach: where a more precise rule names it, the
/// general one is silent (DESIGN 6).
struct PageRules: Sendable {
    let page: GHCBPage
    /// Where the page lies; `nil` where nobody knows, and then scratch is not judged.
    let ghcb: UInt64?
    let vm: Linter.VM
    let code: ExitCode
    let event: NAEEvent?
    /// The fields that the request needs.
    private let required: [GHCBField]

    init(_ page: GHCBPage, ghcb: UInt64?, vm: Linter.VM) {
        self.page = page
        self.ghcb = ghcb
        self.vm = vm
        code = ExitCode(page.raw(.swExitCode))
        event = NAEEvent.event(code)
        let isJudged = event?.isSNPOnly == false
        required = isJudged ? NAEEvent.requiredFields(of: page) : NAEEvent.alwaysRequired
    }

    /// Everything that is wrong but for fields that are valid and need not be.
    var breaches: [Breach] {
        formatBreaches + (isForeignFormat ? [] : missingBreach + eventBreaches)
    }

    /// `CPUID (0x72)`; the code alone where it has no name.
    var name: String { code.name.map { "\($0) (\(code.rawValue.hex))" } ?? code.rawValue.hex }

    /// A page of another usage that does not look like a standard one: its bytes mean other things.
    private var isForeignFormat: Bool {
        page.usage != 0 && !page.isValid(.swExitCode) || isUncleared
    }

    /// Usages are small numbers: others are what was in the page before it became a GHCB.
    private var isUncleared: Bool { page.usage > 0xff }

    private var formatBreaches: [Breach] {
        let usage = usageBreach
        let version = Int(page.protocolVersion)
        guard !isForeignFormat, !isEmpty, version == 0 || version > vm.ghcbVersion else {
            return usage
        }
        let offer = vm.ghcbVersion > 1 ? "versions 1 to \(vm.ghcbVersion)" : "version 1"
        let fact = "PROTOCOL_VERSION is \(version), the VM offers \(offer)"
        guard version == 0, !vm.behaviour.specifies(.protocolVersion) else {
            return usage + [Breach(.versionUnsupported, fact)]
        }
        let custom = "as OVMF leaves it; KVM never reads it"
        return usage + [Breach(.versionUnsupported, fact, toleratedAs: custom)]
    }

    private var usageBreach: [Breach] {
        guard page.usage != 0 else { return [] }
        let fact = "GHCB_USAGE is \(page.usage.hex)"
        guard isUncleared else { return [Breach(.usageNonzero, fact)] }
        let origin =
            looksRandom
            ? "ciphertext, the page was not cleared after its C-bit was"
            : "what the page held before, which nobody has cleared"
        return [Breach(.usageNonzero, "\(fact): \(origin)")]
    }

    /// Whether the bytes are as private memory looks without its key: nearly all values occur.
    private var looksRandom: Bool { Set(page.bytes).count > 240 }

    /// Whether nobody has written anything to the page.
    private var isEmpty: Bool {
        page.validBitmap.isEmpty && page.bytes.allSatisfy { $0 == 0 }
    }

    /// What is wrong with the event, its place in the VM, and its values.
    private var eventBreaches: [Breach] {
        guard page.isValid(.swExitCode) || event != nil else { return [] }
        guard let event else {
            return [Breach(.unknownEvent, "SW_EXITCODE is \(name), no event of the GHCB protocol")]
        }
        guard !event.isSNPOnly else {
            return [Breach(.snpOnlyEvent, "SW_EXITCODE is \(name), an event of SEV-SNP")]
        }
        return supportBreaches(event) + stateBreaches + valueBreaches
    }

    private func supportBreaches(_ event: NAEEvent) -> [Breach] {
        if let (row, fact) = Self.unhandled[code], !vm.behaviour.specifies(row) {
            return [Breach(.unhandledByKVM, "\(name): \(fact)")]
        }
        guard let version = event.version, version > vm.ghcbVersion,
            vm.behaviour.specifies(.version2Events)
        else { return [] }
        let fact =
            "SW_EXITCODE is \(name), an event of version \(version); the VM offers version 1"
        return [Breach(.unknownEvent, fact)]
    }

    private static let unhandled: [ExitCode: (KVMDifference, String)] = [
        .rdtsc: (.rdtsc, "KVM has no handler for it and ends the VM with an internal error"),
        .rdtscp: (.rdtscp, "KVM answers with #UD"),
        .unsupported: (.unsupportedEvent, "KVM_RUN fails with EINVAL"),
    ]
}

// MARK: - Fields that are missing

extension PageRules {
    /// The fields that the request needs and that are not valid; XCR0 has a rule of its own.
    var missing: [GHCBField] { required.filter { $0 != .xcr0 && !page.isValid($0) } }

    private var missingBreach: [Breach] {
        let missing = missing
        guard !missing.isEmpty else { return [] }
        let names = missing.map(\.specName).joined(separator: ", ")
        let what = missing.contains(.swExitCode) && event == nil ? "the request" : name
        let verb = missing.count == 1 ? "is" : "are"
        let fact = "\(what): \(names) \(verb) not valid in VALID_BITMAP"
        return [Breach(.missingInput, fact + missingCause)]
    }

    /// Where the request is instead, if the page shows it.
    private var missingCause: String {
        if isEmpty { return ", and the page is all zero: the request was written elsewhere" }
        guard !swapped.isEmpty else { return "" }
        return ", but \(names(of: swapped)) is: RCX, RDX and RBX are at 0x308, 0x310 and 0x318"
    }

    /// CPUID leaf 0xd, which reports what XCR0 and XSS enable.
    private var stateBreaches: [Breach] {
        guard code == .cpuid, let rax = page.value(.rax), isStateLeaf(rax) else { return [] }
        let missing =
            page.isValid(.xcr0)
            ? [] : [Breach(.cpuidNeedsXCR0, "CPUID leaf 0xd: XCR0 is not valid")]
        guard vm.supportsXSS, vm.ghcbVersion >= 2, !page.isValid(.xss) else { return missing }
        let fact = "CPUID leaf 0xd: XSS is not valid"
        guard !vm.behaviour.specifies(.cpuidXSS) else {
            return missing + [Breach(.cpuidNeedsXSS, fact)]
        }
        guard missing.isEmpty, dependsOnXSS else { return missing }
        let custom = "as Linux 6.12 does; KVM never reads it"
        return [Breach(.cpuidNeedsXSS, fact, toleratedAs: custom)]
    }

    private func isStateLeaf(_ rax: UInt64) -> Bool {
        vm.behaviour.specifies(.cpuidLeafWidth)
            ? UInt32(truncatingIfNeeded: rax) == 0xd : rax == 0xd
    }

    /// Only sub-leaves 0 and 1 report what depends on XSS.
    private var dependsOnXSS: Bool { UInt32(truncatingIfNeeded: page.raw(.rcx)) <= 1 }
}

// MARK: - Fields that need not be valid

extension PageRules {
    /// The valid bits that the event does not need; none where the event itself is not clear.
    var extras: ValidBitmap {
        guard let event, !event.isSNPOnly, !isForeignFormat, page.isValid(.swExitInfo1) else {
            return ValidBitmap()
        }
        let written = isForgottenWrite ? ValidBitmap([.rax, .rdx]) : ValidBitmap()
        let extras = page.validBitmap.subtracting(allowed).subtracting(written)
        // RBX, RCX and RDX taken for each other are one error: the field that is missing.
        return swapped.isEmpty ? extras : ValidBitmap()
    }

    /// The valid bits of RCX, RDX and RBX that stand for another of the three, which is missing.
    private var swapped: ValidBitmap {
        let extras = page.validBitmap.subtracting(allowed)
        let isSwap = !ValidBitmap(missing).intersection(Self.neighbours).isEmpty
        return isSwap && Self.neighbours.contains(extras) ? extras : ValidBitmap()
    }

    private var allowed: ValidBitmap {
        ValidBitmap(required).union(ValidBitmap(NAEEvent.optionalFields(of: page)))
            .union(Self.customary[code] ?? ValidBitmap()).union(.itself)
    }

    /// What known guests pass besides, and the specification allows.
    ///
    /// Linux passes XCR0 with every CPUID leaf, and what a hypercall of VMware or Hyper-V takes.
    private static let customary: [ExitCode: ValidBitmap] = [
        .cpuid: ValidBitmap([.xcr0, .xss]),
        .vmmcall: ValidBitmap([.rip, .rdi, .rbp, .r8]),
    ]

    /// RCX, RDX, RBX and the reserved place behind them, where RSP would be.
    private static let neighbours = ValidBitmap(0xf << 97)

    /// `RBX (0x1234), bit 100` for a set of valid bits.
    func names(of bits: ValidBitmap) -> String {
        let positions = bits.positions
        let names = positions.prefix(6).map { position in
            let name = ValidBitmap.field(at: position)?.specName ?? "bit \(position)"
            return "\(name) (\(page.raw(bit: position).hex))"
        }
        return names.joined(separator: ", ")
            + (positions.count > 6 ? " and \(positions.count - 6) more" : "")
    }
}

import Testing

@testable import VCPUControl

/// Hostile pages, MSR values and log lines through all that looks at them.
@Suite("The protocol against hostile input", .serialized)
struct ProtocolFuzzTests {
    /// Inputs of each kind: `SEVDBG_FUZZ`.
    private static let count = Int(
        clamping: FuzzTests.number("SEVDBG_FUZZ") ?? (FuzzTests.isOptimized ? 200_000 : 2_000))

    @Test("any page gets an answer, every finding has its reason, and every text is clean")
    func pages() {
        var random = FuzzRandom(seed: FuzzTests.seed)
        for version in [1, 2] {
            for behaviour in HypervisorBehaviour.allCases {
                let lint = LintHarness(version: version, behaviour: behaviour, xss: true)
                for _ in 0..<Self.count / 4 {
                    let page = Self.page(&random)
                    lint.mapping = random.pick([.shared, .shared, .shared, .private, .unknown])
                    lint.msrs = (0..<4).map { _ in random.chance(10) ? 0x10000 : nil }
                    guard Self.isClean(lint.exit(page, vcpu: random.below(4)), page) else { return }
                    guard Self.isClean(Decode.page(page, vm: lint.linter.vm).lines, page) else {
                        return
                    }
                }
            }
        }
    }

    @Test("any MSR value gets an answer, and every finding has its reason")
    func msrValues() {
        var random = FuzzRandom(seed: FuzzTests.seed)
        let lint = LintHarness()
        for _ in 0..<Self.count {
            let value = Self.msr(&random)
            let vcpu = random.below(4)
            var findings = random.chance(80) ? lint.write(msr: value, vcpu: vcpu) : []
            findings += lint.exit(msr: value, vcpu: vcpu)
            if random.chance(5) {
                findings += lint.linter.observe(.halted(vcpu: vcpu, rip: .init(lint.rip)))
            }
            guard Self.isClean(findings, value), Self.isClean(Decode.msr(value).lines, value)
            else { return }
        }
    }

    @Test("any line of a log is explained in clean words, or passes through")
    func logLines() {
        var random = FuzzRandom(seed: FuzzTests.seed)
        var decoder = LogDecoder()
        var known = 0
        for _ in 0..<Self.count {
            let line = Self.line(&random)
            guard let decoding = decoder.decode(line) else { continue }
            known += 1
            guard Self.isClean(decoding.lines, line), decoding.value["message"] != nil else {
                return
            }
        }
        #expect(known > Self.count / 10)
    }

    // MARK: What is clean

    private static func isClean(_ findings: [Finding], _ input: some Any) -> Bool {
        for finding in findings where !LintPropertyTests.hasReason(finding) {
            Issue.record("\(finding.line) for \(input)")
            return false
        }
        return true
    }

    /// Printable, not empty, and not longer than somebody reads.
    private static func isClean(_ lines: [String], _ input: some Any) -> Bool {
        let isClean = lines.allSatisfy { line in
            !line.isEmpty && line.utf8.count < 2000
                && line.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
        }
        if !isClean || lines.isEmpty { Issue.record("\(lines) for \(input)") }
        return isClean && !lines.isEmpty
    }

    // MARK: Inputs

    /// Bytes without sense, or a request with something wrong.
    private static func page(_ random: inout FuzzRandom) -> GHCBPage {
        if random.chance(10) {
            return GHCBPage((0..<GHCBPage.size).map { _ in random.byte() }) ?? GHCBPage()
        }
        var page = GHCBPage()
        for field in GHCBField.allCases where random.chance(40) {
            page.set(field, to: random.value())
        }
        if random.chance(90) { page.setRaw(.ghcbUsage, to: 0) }
        if random.chance(70) { page.setRaw(.protocolVersion, to: UInt64(random.below(4))) }
        if random.chance(90) {
            page.set(.swExitCode, to: random.pick(NAEEvent.table).code.rawValue)
        }
        if random.chance(50) { page.set(.swExitInfo1, to: UInt64(random.below(0x1000))) }
        if random.chance(50) { page.set(.swExitInfo2, to: UInt64(random.below(70))) }
        if random.chance(50) {
            page.set(.swScratch, to: 0x10000 + UInt64(random.below(0x1100)))
        }
        for field in NAEEvent.requiredFields(of: page) where random.chance(90) {
            page.set(field, to: page.raw(field))
        }
        return page
    }

    private static func msr(_ random: inout FuzzRandom) -> UInt64 {
        let info = random.pick(GHCBMSR.Info.allCases).rawValue
        switch random.below(4) {
        case 0: return random.value()
        case 1: return random.value() & ~0xfff | UInt64(info)
        case 2: return UInt64(info)
        default: return 0x10000 + UInt64(random.below(0x200)) * 16
        }
    }

    /// A line that a kernel prints, with some bytes changed or two lines run into each other.
    private static func line(_ random: inout FuzzRandom) -> String {
        var bytes = Array(random.pick(LogDecoderTests.samples).0.utf8)
        if random.chance(10) { bytes += random.pick(LogDecoderTests.samples).0.utf8 }
        for _ in 0..<random.below(4) where !bytes.isEmpty {
            let place = random.below(bytes.count)
            switch random.below(4) {
            case 0: bytes[place] = random.byte()
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(random.pick(Array("0f]x: ".utf8)), at: place)
            default: bytes.removeLast(bytes.count - place)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

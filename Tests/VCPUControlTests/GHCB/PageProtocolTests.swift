import Testing
import VCPUControl

@Suite("KVM's page protocol")
struct PageProtocolTests {
    /// One request for each way an event can ask, with everything valid that KVM insists on.
    static let complete: [GHCBPage] = [
        .request(.readDR7), .request(.writeDR7, 0, 0, [.rax: 0x400]), .request(.rdtsc),
        .request(.rdpmc, 0, 0, [.rcx: 0]), .request(.cpuid, 0, 0, [.rax: 1, .rcx: 0]),
        .request(.cpuid, 0, 0, [.rax: 0xd, .rcx: 0, .xcr0: 3]), .request(.invd),
        .request(.ioio, 0x03f8_0210, 0, [.rax: 0x41]), .request(.ioio, 0x03fd_0211),
        .request(.ioio, 0x03f8_0214, 5, [.swScratch: 0x10800]),
        .request(.ioio, 0x03f8_0215, 5, [.swScratch: 0x10800]),
        .request(.msr, 0, 0, [.rcx: 0x1b]), .request(.msr, 1, 0, [.rcx: 0x1a0, .rax: 0, .rdx: 0]),
        .request(.vmmcall, 0, 0, [.rax: 5, .cpl: 0]), .request(.rdtscp), .request(.wbinvd),
        .request(.monitor, 0, 0, [.rax: 0, .rcx: 0, .rdx: 0]),
        .request(.mwait, 0, 0, [.rax: 0, .rcx: 0]),
        .request(.mmioRead, 0xfe00_0000, 1, [.swScratch: 0x10800]),
        .request(.mmioWrite, 0xfe00_0000, 1, [.swScratch: 0x10800]), .request(.nmiComplete),
        .request(.apResetHold), .request(.apJumpTable, 1), .request(.hvFeatures),
        .request(.termination), .request(.unsupported),
    ]

    @Test("the requests walk all events of KVM's list")
    func all() {
        let walked = Set(Self.complete.map { $0.raw(.swExitCode) })
        let events = NAEEvent.table.filter { $0.isInKVM && !$0.isSNPOnly }
        #expect(walked == Set(events.map(\.code.rawValue)))
    }

    @Test(
        "a complete request is not malformed; each missing field makes it so", arguments: complete)
    func requiredFields(_ page: GHCBPage) {
        let harness = GHCBHarness()
        let accepted = harness.vmgexit(page)
        if case .malformed? = accepted.resumed?.outcome { Issue.record("refused: \(accepted)") }
        #expect(page.validFields.count >= 3)
        for field in page.validFields {
            var incomplete = page
            incomplete.invalidate(field)
            let exchange = harness.exchange(incomplete)
            #expect(exchange?.outcome == .malformed(reason: 4), "\(field)")
            #expect(
                exchange?.reason == "missing input: \(field.specName) is not valid in the bitmap")
        }
    }

    @Test("the requests hold no field valid that KVM does not insist on", arguments: complete)
    func noMoreThanRequired(_ page: GHCBPage) {
        #expect(Set(page.validFields) == Set(NAEEvent.requiredFields(of: page)))
    }

    @Test("leaf 0xD is compared with all of RAX")
    func xstateLeaf() {
        let harness = GHCBHarness()
        let page = GHCBPage.request(.cpuid, 0, 0, [.rax: 0x1_0000_000d, .rcx: 0])
        #expect(harness.exchange(page)?.outcome == .ok)
    }

    @Test("usage is checked before anything else, then the three words, then the code")
    func order() {
        let harness = GHCBHarness()
        var page = GHCBPage()
        page.setRaw(.swExitCode, to: 0x73)
        page.set(.ghcbUsage, to: 1)
        #expect(harness.exchange(page)?.outcome == .malformed(reason: 2))
        page.set(.ghcbUsage, to: 0)
        #expect(harness.exchange(page)?.outcome == .malformed(reason: 4))
        #expect(harness.exchange(.request(.init(0x73)))?.outcome == .malformed(reason: 6))
    }

    @Test("events of SEV-SNP lack their input in an SEV-ES VM, later ones are unknown")
    func snpEvents() {
        let harness = GHCBHarness()
        let everything = Dictionary(
            uniqueKeysWithValues: GHCBField.allCases.compactMap { field in
                field.validBit.map { _ in (field, UInt64(0x10800)) }
            })
        for event in NAEEvent.table where event.isSNPOnly {
            let fields = everything.filter { !NAEEvent.alwaysRequired.contains($0.key) }
            let page = GHCBPage.request(event.code, 0x1000, 0x2000, fields)
            let isInKVM = (0x8000_0010...0x8000_0013).contains(event.code.rawValue)
            #expect(harness.exchange(page)?.outcome == .malformed(reason: isInKVM ? 4 : 6))
        }
    }

    @Test("codes that KVM does not take from a GHCB are invalid events")
    func invalidEvents() {
        let harness = GHCBHarness()
        let taken = Set(NAEEvent.table.map(\.code))
        for row in ExitCode.table where !taken.contains(row.code) {
            #expect(harness.exchange(.request(row.code))?.outcome == .malformed(reason: 6))
        }
        #expect(harness.exchange(.request(.init(0x1_0000_0072)))?.outcome == .malformed(reason: 6))
    }

    @Test("the answer has six valid fields, whatever was asked, and the rest of the page is kept")
    func response() throws {
        let harness = GHCBHarness()
        var page = GHCBPage.request(.wbinvd, 7, 8, [.rax: 1, .rcx: 2, .rsi: 3, .rdi: 4, .xcr0: 3])
        page.setRaw(.rbx, to: 0x55)
        page.set(.protocolVersion, to: 2)
        page.setScratch([1, 2, 3], at: 0x900)
        let response = try #require(harness.exchange(page)?.responsePage)
        #expect(
            response.validFields == [.rax, .rcx, .rdx, .rbx, .swExitInfo1, .swExitInfo2])
        #expect(response.unnamedValidBits.isEmpty)
        var expected = page
        expected.clearValidBitmap()
        // RBX was not valid, so KVM's cache has 0 and says so.
        for (field, value) in [
            (GHCBField.rax, UInt64(1)), (.rbx, 0), (.rcx, 2), (.rdx, 0), (.swExitInfo1, 0),
            (.swExitInfo2, 0),
        ] {
            expected.set(field, to: value)
        }
        #expect(response == expected)
    }

    @Test("a refused request is answered in the page like any other")
    func malformedResponse() throws {
        let harness = GHCBHarness()
        let exchange = harness.exchange(.request(.init(0x73), 1, 2, [.rdx: 9]))
        let response = try #require(exchange?.responsePage)
        #expect(response.value(.swExitInfo1) == 2)
        #expect(response.value(.swExitInfo2) == 6)
        #expect(response.value(.rdx) == 9)
        #expect(response.value(.swExitCode) == nil)
        #expect(exchange?.requestPage?.value(.swExitInfo2) == 2)
    }
}

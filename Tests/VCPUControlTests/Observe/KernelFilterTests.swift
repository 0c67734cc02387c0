import Testing

@testable import VCPUControl

@Suite("Filters in the kernel")
struct KernelFilterTests {
    private static func page(_ code: ExitCode, info1: UInt64 = 0, rcx: UInt64 = 0) -> Exchange {
        var page = GHCBPage()
        page.set(.swExitCode, to: code.rawValue)
        page.set(.swExitInfo1, to: info1)
        page.set(.rcx, to: rcx)
        return Exchange(
            vcpu: 0, rip: GuestVirtualAddress(0), msr: 0x7000,
            content: .page(request: page, response: nil), outcome: .ok)
    }

    private static func msr(_ value: UInt64) -> Exchange {
        Exchange(
            vcpu: 0, rip: GuestVirtualAddress(0), msr: value, content: .msr(response: value),
            outcome: .ok)
    }

    private static let exchanges = [
        page(.cpuid), page(.ioio, info1: 0x3f8_0000 | 0x211), page(.ioio, info1: 0x80_0000),
        page(.msr, rcx: 0xc000_0080), page(.msr, rcx: 0x10), page(.mmioRead), page(.hvFeatures),
        msr(0x2), msr(0x80), msr(0x7_0004), msr(0x3_1100),
    ]

    /// What the programs `stop_page` and `stop_msr` do.
    private static func stops(_ filter: KernelFilter, at exchange: Exchange) -> Bool {
        func fits(_ match: KernelFilter.Match, _ value: UInt64) -> Bool {
            value & match.mask == match.value
        }
        switch (filter.event, exchange.requestPage) {
        case (.page, let page?):
            return fits(filter.code, page.raw(.swExitCode))
                && fits(filter.info1, page.raw(.swExitInfo1)) && fits(filter.rcx, page.raw(.rcx))
        case (.msr, nil): return fits(filter.code, exchange.msr)
        default: return false
        }
    }

    @Test(
        "one term is compared exactly, several are let through",
        arguments: [
            ("CPUID", true), ("0x72", true), ("IOIO", true), ("port=0x3f8", true), ("MSR", true),
            ("msr=0xc0000080", true), ("SEV_INFO_REQ", true), ("HV_FEATURES", true),
            ("TERM_REQ", true), ("0x4", true), ("!CPUID", false), ("CPUID,IOIO", false),
        ])
    func filters(text: String, isExact: Bool) throws {
        let filter = try ExitFilter.parse(text)
        for exchange in Self.exchanges {
            let stops = filter.kernelFilters.contains { Self.stops($0, at: exchange) }
            #expect(stops || !filter.matches(exchange), "\(text) misses \(exchange.name)")
            #expect(!isExact || stops == filter.matches(exchange), "\(text), \(exchange.name)")
        }
    }
}

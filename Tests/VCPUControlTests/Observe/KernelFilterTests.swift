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
        "a plain VM's accesses are compared as the VMGEXITs that they would be",
        arguments: [
            ("port=0x3f8", true), ("msr=0xc0000080", true), ("IOIO", true), ("0x7c", true),
            ("!IOIO", false), ("port=0x80,MSR", false),
        ])
    func accesses(text: String, isExact: Bool) throws {
        let filter = try ExitFilter.parse(text)
        let accesses: [(KernelFilter.Event, UInt64, PassedExit.Kind)] = [
            (.port, 0x3f8, .port(.init(port: 0x3f8, size: 1, count: 1, data: [], isInput: true))),
            (.port, 0x80, .port(.init(port: 0x80, size: 1, count: 1, data: [], isInput: true))),
            (.register, 0xc000_0080, .readMSR(0xc000_0080)), (.register, 0x10, .writeMSR(0x10, 1)),
        ]
        for (event, code, kind) in accesses {
            let stops = filter.accessFilters.contains {
                $0.event == event && code & $0.code.mask == $0.code.value
            }
            #expect(stops || !filter.matches(kind), "\(text) misses \(kind.text)")
            #expect(!isExact || stops == filter.matches(kind), "\(text), \(kind.text)")
        }
    }

    @Test("what a plain VM never does has no filter")
    func noAccess() throws {
        for text in ["CPUID", "0x72", "SEV_INFO_REQ"] {
            #expect(try ExitFilter.parse(text).accessFilters.isEmpty)
        }
    }

    @Test("several filters become one that misses nothing that any of them wants")
    func union() throws {
        let texts = ["port=0x3f8", "port=0x3fd", "CPUID", "msr=0x10"]
        let filters = try texts.map { try ExitFilter.parse($0) }
        let all = filters.flatMap(\.kernelFilters).filter { $0.event == .page }
        let union = try #require(KernelFilter.union(of: all))
        for exchange in Self.exchanges where filters.contains(where: { $0.matches(exchange) }) {
            #expect(Self.stops(union, at: exchange))
        }
        let ports = try #require(KernelFilter.union(of: Array(all.prefix(2))))
        #expect(!Self.stops(ports, at: Self.page(.ioio, info1: 0x80_0000)))
        #expect(KernelFilter.union(of: [all[2]]) == all[2])
        #expect(KernelFilter.union(of: []) == nil)
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

import Testing

@testable import VCPUControl

@Suite("What a host can tell of a request that KVM has taken")
struct RequestSightTests {
    /// A request as the guest made it, and as KVM left it.
    private static func pages(
        _ code: ExitCode, _ fields: [GHCBField: UInt64], info1: UInt64 = 0, info2: UInt64 = 0
    ) -> (request: GHCBPage, taken: GHCBPage) {
        var request = GHCBPage()
        request.set(.swExitCode, to: code.rawValue)
        request.set(.swExitInfo1, to: info1)
        request.set(.swExitInfo2, to: info2)
        for (field, value) in fields { request.set(field, to: value) }
        var taken = request
        taken.clearValidBitmap()
        taken.respond(info1: 0, info2: 0)
        return (request, taken)
    }

    private static let output = PortAccess(
        port: 0x3f8, size: 1, count: 1, data: [0x41], isInput: false)

    @Test("a page that is not as KVM leaves it, or not that of the exit, is not taken for it")
    func recognition() {
        let info = IOIOInfo(port: 0x3f8, size: 1, isInput: false).rawValue
        let (request, taken) = Self.pages(.ioio, [.rax: 0x41], info1: info)
        #expect(RequestSight(taken, .port(Self.output)) != nil)
        #expect(RequestSight(request, .port(Self.output)) == nil)
        #expect(RequestSight(GHCBPage(), .port(Self.output)) == nil)
        var other = Self.output
        other.data = [0x42]
        #expect(RequestSight(taken, .port(other)) == nil)
        let access = MMIOAccess(address: .init(0xfe00_0000), length: 1, data: [1], isRead: false)
        #expect(RequestSight(taken, .memory(access)) == nil)
    }

    @Test("memory: address and length come from the exit, scratch from the page")
    func memory() throws {
        let (_, taken) = Self.pages(
            .mmioRead, [.swScratch: 0x1800], info1: 0xfe00_0004, info2: 4)
        let access = MMIOAccess(address: .init(0xfe00_0004), length: 4, data: [], isRead: true)
        let sight = try #require(RequestSight(taken, .memory(access)))
        #expect(sight.reading(.swExitInfo1) == .known(0xfe00_0004, from: .direct))
        #expect(sight.reading(.swExitInfo2) == .known(4, from: .direct))
        #expect(sight.reading(.swScratch) == .known(0x1800, from: .ghcb))
        #expect(sight.reading(.rbx) == .hidden(.wiped))
        #expect(sight.request.validFields == [.swExitCode, .swExitInfo1, .swExitInfo2, .swScratch])
    }

    @Test("any page and any exit give an answer")
    func hostile() {
        var random = FuzzRandom(seed: 7)
        for _ in 0..<2000 {
            var (_, page) = Self.pages(.ioio, [:])
            page.setRaw(.rax, to: random.next())
            let count = Int(truncatingIfNeeded: random.next() % 5) - 1
            let access = PortAccess(
                port: UInt16(truncatingIfNeeded: random.next()),
                size: Int(truncatingIfNeeded: random.next() % 9), count: count, data: [],
                isInput: true)
            guard let sight = RequestSight(page, .port(access)) else { continue }
            for field in GHCBField.allCases { _ = sight.reading(field) }
            _ = sight.response([1, 2, 3])
        }
    }
}

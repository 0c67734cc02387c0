import Testing

@testable import VCPUControl

@Suite("Through the stub: hostile mailboxes")
struct HostileMailboxTests {
    @Test("random bytes in the mailbox at any moment neither crash nor hang", arguments: 0..<60)
    func noise(seed: Int) throws {
        var random = FuzzRandom(seed: UInt64(seed))
        let name = ["cpuid", "ioio", "hello", "smp"][seed % 4]
        let twins = try StubTwins(name, .trampoline)
        for _ in 0..<40 {
            try scribble(on: twins, &random)
            _ = twins.machine.registers(of: 0)
            _ = twins.machine.systemRegisters(of: 0)
            _ = twins.machine.translate(.init(0x10_0000), on: 0)
            _ = twins.machine.read(.init(0x10_0000), count: 64, as: .private)
            do throws(MachineError) {
                try command(twins.machine, &random)
            } catch {
                guard case .refused(let text) = error else { return }
                #expect(!text.isEmpty)
            }
        }
    }

    /// Overwrites a part of the mailbox, of the shadow or of the stub's GHCB, or all of them.
    private func scribble(on twins: StubTwins, _ random: inout FuzzRandom) throws {
        let page = try #require(twins.plan.vcpus[0].mailbox).rawValue
        let count = [1, 4, 8, 0x210, 0x3000][Int(random.next() % 5)]
        let offset = count == 0x3000 ? 0 : random.next() % UInt64(0x210)
        let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        try twins.base.write(bytes, to: .init(page + offset), as: .shared)
    }

    private func command(
        _ machine: StubbedMachine, _ random: inout FuzzRandom
    ) throws(MachineError) {
        switch random.next() % 6 {
        case 0: try machine.setRegister(.rax, of: 0, to: random.next())
        case 1: try machine.write([1, 2, 3], to: .init(0x10_0800), as: .private)
        case 2: try machine.setBreakpoints([.init(0x10_0000 + random.next() % 64)])
        case 3: machine.settle(0)
        default:
            let scope: RunScope = random.next() & 1 == 0 ? .one(0) : .all
            let (vcpu, exit) = try machine.run(scope, limit: 1 + random.next() % 50)
            switch exit {
            case .io(let access): try machine.complete(vcpu, with: Devices().answer(access).data)
            case .mmio(let access): try machine.complete(vcpu, with: Devices().answer(access).data)
            default: break
            }
        }
    }

    @Test("a page that is no mailbox, or says what there is not, is not believed")
    func decoding() throws {
        let plan = try LaunchPlan(GuestImage.load("hello"), LaunchOptions(hasDebugStub: true))
        let page = try #require(plan.vcpus[0].mailbox).rawValue
        let region = try #require(
            plan.regions.first {
                $0.address.rawValue <= page && !$0.isPrivate
                    && page < $0.address.rawValue + UInt64($0.bytes.count)
            })
        let start = Int(page - region.address.rawValue)
        var bytes = Array(region.bytes[start..<start + 0x210])
        #expect(StubMailbox(bytes)?.state == .running)
        #expect(StubMailbox(Array(bytes.dropLast())) == nil)
        bytes[0x0c] = 0xee
        #expect(StubMailbox(bytes)?.state == .unknown(0xee))
        bytes[0x0c] = 3
        bytes[0x28] = 0x77
        for index in 0x1f0..<0x1f8 { bytes[index] = 0xff }
        guard case .stopped(let report) = StubMailbox(bytes)?.state else {
            Issue.record("not a stop")
            return
        }
        #expect(report.reason == .unknown(0x77) && report.code.count == 16)
        bytes[0] ^= 1
        #expect(StubMailbox(bytes) == nil)
    }
}

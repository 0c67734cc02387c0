import VCPUControl

/// Guest RAM for the model: 256 KiB from GPA 0, nothing behind.
final class TestMemory: HostMemory {
    var bytes = [UInt8](repeating: 0, count: 0x40000)

    func read(_ address: GuestPhysicalAddress, count: Int) -> [UInt8]? {
        range(address, count).map { Array(bytes[$0]) }
    }

    func write(_ data: [UInt8], to address: GuestPhysicalAddress) -> Bool {
        guard let range = range(address, data.count) else { return false }
        bytes.replaceSubrange(range, with: data)
        return true
    }

    private func range(_ address: GuestPhysicalAddress, _ count: Int) -> Range<Int>? {
        guard let start = Int(exactly: address.rawValue), count >= 0, start <= bytes.count,
            count <= bytes.count - start
        else { return nil }
        return start..<start + count
    }
}

/// The model with memory and the machine's part of the work.
final class GHCBHarness {
    static let ghcb: UInt64 = 0x10000

    var model: HypervisorModel
    var memory = TestMemory()
    var msr = GHCBHarness.ghcb

    init(version: Int = 2, behaviour: HypervisorBehaviour = .kvm, vcpus: Int = 4) {
        model = HypervisorModel(
            ghcbVersion: version, behaviour: behaviour, cBit: 51, vcpus: vcpus)
    }

    /// Puts a page where the MSR points and executes VMGEXIT; the interim page goes to memory.
    func vmgexit(_ page: GHCBPage, vcpu: Int = 0) -> HypervisorModel.Step {
        _ = memory.write(page.bytes, to: .init(msr))
        return vmgexit(msr: msr, vcpu: vcpu)
    }

    func vmgexit(msr: UInt64, vcpu: Int = 0) -> HypervisorModel.Step {
        let request = HypervisorModel.Request(
            vcpu: vcpu, rip: .init(0x100123), msr: msr, tsc: 0x1_0000_0005)
        return stored(model.vmgexit(request, memory: &memory))
    }

    func complete(_ data: [UInt8] = [], vcpu: Int = 0) -> HypervisorModel.Step {
        stored(model.complete(vcpu: vcpu, data: data, memory: &memory))
    }

    /// Runs a request that needs nobody else, and gives back its exchange.
    func exchange(_ page: GHCBPage) -> Exchange? { vmgexit(page).resumed }

    func sipi(to vcpu: Int = 0) -> HypervisorModel.Step? { model.deliverSIPI(to: vcpu) }

    private func stored(_ step: HypervisorModel.Step) -> HypervisorModel.Step {
        switch step {
        case .io(_, let page), .mmio(_, let page): _ = memory.write(page.bytes, to: .init(msr))
        default: break
        }
        return step
    }
}

extension HypervisorModel.Step {
    var resumed: Exchange? { if case .resume(let exchange) = self { exchange } else { nil } }
    var ended: Exchange? { if case .end(let exchange) = self { exchange } else { nil } }
    var port: PortAccess? { if case .io(let access, _) = self { access } else { nil } }
    var mmio: MMIOAccess? { if case .mmio(let access, _) = self { access } else { nil } }
    var interim: GHCBPage? {
        switch self {
        case .io(_, let page), .mmio(_, let page): page
        default: nil
        }
    }
}

extension GHCBPage {
    /// A request with the three words of every event, and the given fields, valid.
    static func request(
        _ code: ExitCode, _ info1: UInt64 = 0, _ info2: UInt64 = 0,
        _ fields: [GHCBField: UInt64] = [:]
    ) -> GHCBPage {
        var page = GHCBPage()
        page.set(.swExitCode, to: code.rawValue)
        page.set(.swExitInfo1, to: info1)
        page.set(.swExitInfo2, to: info2)
        for (field, value) in fields { page.set(field, to: value) }
        return page
    }

    /// The same page with bytes in the shared buffer.
    func with(_ data: [UInt8], at offset: Int) -> GHCBPage {
        var page = self
        page.setScratch(data, at: offset)
        return page
    }
}

/// SplitMix64: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

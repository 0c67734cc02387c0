import Testing
import VCPUControl

@Suite("KVM's MSR protocol")
struct MSRProtocolTests {
    @Test("the reset value offers versions from 1 up, and the C-bit", arguments: [1, 2])
    func reset(version: Int) {
        let model = HypervisorModel(ghcbVersion: version, cBit: 51, vcpus: 1)
        #expect(model.resetMSR == UInt64(version) << 48 | 1 << 32 | 51 << 24 | 1)
    }

    @Test("SEV information is the reset value again")
    func sevInformation() {
        let harness = GHCBHarness()
        let exchange = harness.vmgexit(msr: 0x002).resumed
        #expect(exchange?.content == .msr(response: 0x0002_0001_3300_0001))
        #expect(exchange?.outcome == .ok)
    }

    @Test("CPUID answers one register, and keeps the bits that it does not define")
    func cpuid() {
        let harness = GHCBHarness()
        let ebx = harness.vmgexit(msr: 0x8000_001f_4000_0004).resumed
        #expect(ebx?.content == .msr(response: 0x0000_0033_4000_0005))
        let eax = harness.vmgexit(msr: 0x8000_0000_0abc_d004).resumed
        #expect(eax?.content == .msr(response: 0x8000_001f_0abc_d005))
    }

    @Test("hypervisor features are the same for every version", arguments: [1, 2])
    func features(version: Int) {
        let harness = GHCBHarness(version: version)
        #expect(harness.vmgexit(msr: 0xfff080).resumed?.content == .msr(response: 0x3081))
    }

    @Test("requests of SEV-SNP end an SEV-ES VM", arguments: [UInt64(0x010), 0x8012, 0x8014])
    func refused(msr: UInt64) {
        let harness = GHCBHarness()
        let exchange = harness.vmgexit(msr: msr).ended
        #expect(exchange?.content == .msr(response: nil))
        guard case .terminated(.refused(let text)) = exchange?.outcome else {
            Issue.record("not refused: \(String(describing: exchange?.outcome))")
            return
        }
        #expect(text.contains((msr & 0xfff).hex))
    }

    @Test("termination ends the VM with set and code")
    func termination() {
        let harness = GHCBHarness()
        let exchange = harness.vmgexit(msr: 0xab5100).ended
        #expect(exchange?.outcome == .terminated(.requested(set: 5, code: 0xab)))
        #expect(exchange?.content == .msr(response: nil))
    }

    @Test("what KVM does not know leaves the MSR as it is")
    func unanswered() {
        let harness = GHCBHarness()
        let handled: Set<UInt64> = [0x002, 0x004, 0x006, 0x010, 0x012, 0x014, 0x080, 0x100]
        for info in 1..<UInt64(4096) where !handled.contains(info) {
            let exchange = harness.vmgexit(msr: 0x1234_0000 | info).resumed
            #expect(exchange?.content == .msr(response: 0x1234_0000 | info))
            #expect(exchange?.outcome == .unanswered)
        }
    }

    @Test("no page, no answer", arguments: [UInt64(0), 0x40000, 1 << 51, 0xffff_ffff_ffff_f000])
    func noPage(msr: UInt64) {
        let harness = GHCBHarness()
        let exchange = harness.vmgexit(msr: msr).resumed
        #expect(exchange?.content == .noPage)
        #expect(exchange?.outcome == .unanswered)
        #expect(exchange?.protocolName == "page")
    }

    @Test("AP reset hold answers 0 without a SIPI and for the first, 1 for later ones")
    func resetHold() {
        let harness = GHCBHarness()
        #expect(harness.vmgexit(msr: 0xf006, vcpu: 2) == .apResetHold)
        #expect(harness.complete(vcpu: 2).resumed?.content == .msr(response: 0x007))
        for expected in [UInt64(0x007), 0x1007, 0x1007] {
            #expect(harness.vmgexit(msr: 0x006, vcpu: 2) == .apResetHold)
            let exchange = harness.sipi(to: 2)?.resumed
            #expect(exchange?.content == .msr(response: expected))
            #expect(exchange?.vcpu == 2)
        }
        #expect(harness.sipi(to: 2) == nil)
    }

    @Test("where nothing is open, nothing was asked")
    func nothingOpen() {
        let harness = GHCBHarness()
        #expect(harness.complete([1, 2], vcpu: 77).resumed?.outcome == .unanswered)
    }
}

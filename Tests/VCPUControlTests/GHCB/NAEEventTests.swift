import Testing
import VCPUControl

@Suite("KVM's events")
struct NAEEventTests {
    @Test("CPUID returns 32-bit registers from the low halves of RAX and RCX")
    func cpuid() throws {
        let harness = GHCBHarness()
        let page = GHCBPage.request(.cpuid, 0, 0, [.rax: 0xff_0000_0000, .rcx: 0, .rbx: .max])
        let response = try #require(harness.exchange(page)?.responsePage)
        #expect(response.value(.rax) == 0xd)
        #expect(response.value(.rbx) == 0x6874_7541)
        #expect(response.value(.rcx) == 0x444d_4163)
        #expect(response.value(.rdx) == 0x6974_6e65)
    }

    @Test("MSR reads give EDX:EAX")
    func msrRead() throws {
        let harness = GHCBHarness()
        let response = try #require(
            harness.exchange(.request(.msr, 0, 0, [.rcx: 0xdead_0000_0010]))?.responsePage)
        #expect(response.value(.rax) == 5)
        #expect(response.value(.rdx) == 1)
        #expect(response.value(.swExitInfo1) == 0)
    }

    @Test("MSR writes are kept for this vCPU")
    func msrWrite() throws {
        let harness = GHCBHarness()
        let write = GHCBPage.request(
            .msr, 1, 0, [.rcx: 0x1a0, .rax: 0xffff_ffff_0000_0801, .rdx: 2])
        #expect(harness.exchange(write)?.outcome == .ok)
        let read = GHCBPage.request(.msr, 0, 0, [.rcx: 0x1a0])
        #expect(harness.exchange(read)?.responsePage?.value(.rax) == 0x801)
        #expect(harness.exchange(read)?.responsePage?.value(.rdx) == 2)
        #expect(harness.vmgexit(read, vcpu: 1).resumed?.responsePage?.value(.rax) == 0x1800)
    }

    @Test("an MSR that cannot be had asks the guest for #GP", arguments: [UInt64(0), 1])
    func unknownMSR(info1: UInt64) {
        let harness = GHCBHarness()
        let exchange = harness.exchange(.request(.msr, info1, 0, [.rcx: 0x4242, .rax: 7, .rdx: 8]))
        #expect(exchange?.outcome == .exception(eventInjection: 0x8000_030d))
        #expect(exchange?.responsePage?.value(.swExitInfo1) == 1)
        #expect(exchange?.responsePage?.value(.swExitInfo2) == 0x8000_030d)
        #expect(exchange?.responsePage?.value(.rax) == 7)
        #expect(exchange?.injectedEvent == nil)
    }

    @Test("VMMCALL: -EPERM above CPL 0, 0 for the poll, -KVM_ENOSYS for the rest")
    func vmmcall() {
        let harness = GHCBHarness()
        func result(_ number: UInt64, cpl: UInt64) -> UInt64? {
            harness.exchange(.request(.vmmcall, 0, 0, [.rax: number, .cpl: cpl]))?
                .responsePage?.value(.rax)
        }
        #expect(result(5, cpl: 3) == UInt64(bitPattern: -1))
        #expect(result(1, cpl: 3) == UInt64(bitPattern: -1))
        #expect(result(1, cpl: 0) == 0)
        #expect(result(5, cpl: 0) == UInt64(bitPattern: -1000))
        #expect(result(0x1_0000_0001, cpl: 0) == UInt64(bitPattern: -1000))
    }

    @Test("RDTSC ends the VM with an internal error, suberror 4")
    func rdtsc() {
        let harness = GHCBHarness()
        let exchange = harness.vmgexit(.request(.rdtsc)).ended
        guard case .terminated(.internalError(suberror: 4, _)) = exchange?.outcome else {
            Issue.record("not an internal error")
            return
        }
        #expect(exchange?.responsePage == nil)
    }

    @Test("RDTSCP gets a #UD of KVM's own, and info1 = 0")
    func rdtscp() {
        let harness = GHCBHarness()
        let exchange = harness.exchange(.request(.rdtscp))
        #expect(exchange?.outcome == .exception(eventInjection: 0x8000_0306))
        #expect(exchange?.responsePage?.value(.swExitInfo1) == 0)
        #expect(exchange?.injectedEvent == .invalidOpcode)
    }

    @Test("RDPMC reads counters that stand still, others get a #GP(0) of KVM's own")
    func rdpmc() {
        let harness = GHCBHarness()
        let page = GHCBPage.request(.rdpmc, 0, 0, [.rcx: 0xc000_0003, .rax: 9])
        #expect(harness.exchange(page)?.responsePage?.value(.rax) == 0)
        let none = harness.exchange(.request(.rdpmc, 0, 0, [.rcx: 4, .rax: 9]))
        #expect(none?.injectedEvent == .generalProtection)
        #expect(none?.responsePage?.value(.rax) == 9)
        let user = harness.exchange(.request(.rdpmc, 0, 0, [.rcx: 0, .cpl: 3]))
        #expect(user?.injectedEvent == .generalProtection)
    }

    @Test(
        "events that do nothing return the inputs",
        arguments: [
            ExitCode.readDR7, .writeDR7, .invd, .wbinvd, .monitor, .mwait, .nmiComplete,
        ])
    func nothing(_ code: ExitCode) {
        let harness = GHCBHarness()
        let exchange = harness.exchange(.request(code, 0, 0, [.rax: 1, .rcx: 2, .rdx: 3]))
        #expect(exchange?.outcome == .ok)
        #expect(exchange?.responsePage?.value(.rax) == 1)
        #expect(exchange?.responsePage?.value(.swExitInfo2) == 0)
    }

    @Test("the AP jump table is one for the VM; other operations are invalid input")
    func jumpTable() {
        let harness = GHCBHarness()
        #expect(harness.exchange(.request(.apJumpTable, 1))?.responsePage?.value(.swExitInfo2) == 0)
        let set = harness.exchange(.request(.apJumpTable, 0, 0x9f000))
        #expect(set?.responsePage?.value(.swExitInfo2) == 0)
        let get = harness.vmgexit(.request(.apJumpTable, 1), vcpu: 3).resumed
        #expect(get?.responsePage?.value(.swExitInfo2) == 0x9f000)
        #expect(harness.exchange(.request(.apJumpTable, 2))?.outcome == .malformed(reason: 5))
    }

    @Test("hypervisor features are 3 for every version", arguments: [1, 2])
    func features(version: Int) {
        let harness = GHCBHarness(version: version)
        let response = harness.exchange(.request(.hvFeatures))?.responsePage
        #expect(response?.value(.swExitInfo2) == 3)
        #expect(response?.value(.swExitInfo1) == 0)
    }

    @Test("termination has set and code in info1")
    func termination() {
        let harness = GHCBHarness()
        let exchange = harness.vmgexit(.request(.termination, 0xffff_fab5)).ended
        #expect(exchange?.outcome == .terminated(.requested(set: 5, code: 0xab)))
        #expect(exchange?.responsePage == nil)
    }

    @Test("an unsupported event makes KVM_RUN fail with EINVAL")
    func unsupported() {
        let harness = GHCBHarness()
        let exchange = harness.vmgexit(.request(.unsupported, 0x73)).ended
        guard case .terminated(.runFailed(errno: 22, let text)) = exchange?.outcome else {
            Issue.record("not EINVAL")
            return
        }
        #expect(text.contains("0x73"))
    }

    @Test("AP reset hold: 0 without a SIPI and for the first, 1 for later ones")
    func resetHold() {
        let harness = GHCBHarness()
        #expect(harness.vmgexit(.request(.apResetHold, 5, 6)) == .apResetHold)
        let alone = harness.complete().resumed?.responsePage
        #expect(alone?.value(.swExitInfo1) == 0)
        #expect(alone?.value(.swExitInfo2) == 0)
        #expect(alone?.value(.swExitCode) == nil)
        for expected in [UInt64(0), 1] {
            #expect(harness.vmgexit(.request(.apResetHold)) == .apResetHold)
            let page = harness.sipi()?.resumed?.responsePage
            #expect(page?.value(.swExitInfo2) == expected)
        }
    }

    @Test("what an event returns depends on the request")
    func returned() {
        #expect(NAEEvent.returnedFields(of: .request(.ioio, 0x11)) == [.rax])
        #expect(NAEEvent.returnedFields(of: .request(.ioio, 0x10)) == [])
        #expect(NAEEvent.returnedFields(of: .request(.msr, 0)) == [.rax, .rdx])
        #expect(NAEEvent.returnedFields(of: .request(.msr, 1)) == [])
        #expect(NAEEvent.returnedFields(of: .request(.apJumpTable, 1)) == [.swExitInfo2])
        #expect(NAEEvent.optionalFields(of: .request(.cpuid, 0, 0, [.rax: 0xd])) == [.xss])
        #expect(NAEEvent.optionalFields(of: .request(.vmmcall)) == [.rbx, .rcx, .rdx, .rsi])
        #expect(NAEEvent.requiredFields(of: .request(.init(0x1234))) == NAEEvent.alwaysRequired)
    }

    @Test("versions are those of the specification")
    func versions() {
        let later = NAEEvent.table.filter { $0.version == 2 && !$0.isSNPOnly }.map(\.code)
        #expect(later == [.hvFeatures, .termination])
        #expect(NAEEvent.event(.secureAVIC)?.version == nil)
        #expect(NAEEvent.table.map(\.code.rawValue) == NAEEvent.table.map(\.code.rawValue).sorted())
    }
}

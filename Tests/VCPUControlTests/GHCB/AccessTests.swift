import Testing
import VCPUControl

@Suite("KVM's port and memory accesses")
struct AccessTests {
    @Test("OUT passes the low bytes of RAX")
    func output() throws {
        let harness = GHCBHarness()
        let step = harness.vmgexit(.request(.ioio, 0x0080_0220, 0, [.rax: 0x1122_3344]))
        #expect(
            step.port
                == PortAccess(port: 0x80, size: 2, count: 1, data: [0x44, 0x33], isInput: false))
        let response = try #require(harness.complete().resumed?.responsePage)
        #expect(response.value(.rax) == 0x1122_3344)
    }

    @Test("while userspace is asked, the page has lost bitmap and infos")
    func interim() throws {
        let harness = GHCBHarness()
        let page = GHCBPage.request(.ioio, 0x0080_0210, 3, [.rax: 0x41, .swScratch: 0x10800])
        let interim = try #require(harness.vmgexit(page).interim)
        #expect(interim.validFields == [.swExitInfo1, .swExitInfo2])
        #expect(interim.raw(.swExitInfo1) == 0)
        #expect(interim.raw(.swExitInfo2) == 0)
        #expect(interim.raw(.swExitCode) == 0x7b)
        #expect(interim.raw(.rax) == 0x41)
        #expect(interim.raw(.swScratch) == 0x10800)
        #expect(harness.complete().resumed?.requestPage == page)
    }

    @Test(
        "IN merges into the RAX that KVM has",
        arguments: [
            (UInt64(0x10), [UInt8(0xaa)], UInt64(0x1122_3344_5566_77aa)),
            (0x20, [0xaa, 0xbb], 0x1122_3344_5566_bbaa), (0x40, [1, 2, 3, 4], 0x0403_0201),
            (0x40, [1], 0xffff_ff01), (0x10, [1, 2], 0x1122_3344_5566_7701),
        ])
    func input(size: UInt64, data: [UInt8], expected: UInt64) {
        let harness = GHCBHarness()
        let page = GHCBPage.request(.ioio, 0x03f8_0201 | size, 0, [.rax: 0x1122_3344_5566_7788])
        let access = harness.vmgexit(page).port
        #expect(access?.isInput == true)
        #expect(access?.data == [])
        #expect(harness.complete(data).resumed?.responsePage?.value(.rax) == expected)
    }

    @Test("IN without RAX is zero-extended")
    func inputWithoutRAX() {
        let harness = GHCBHarness()
        var page = GHCBPage.request(.ioio, 0x03f8_0211)
        page.setRaw(.rax, to: .max)
        _ = harness.vmgexit(page)
        #expect(harness.complete([0x60]).resumed?.responsePage?.value(.rax) == 0x60)
    }

    @Test("string OUT is one access with all units")
    func stringOutput() {
        let harness = GHCBHarness()
        let page = GHCBPage.request(.ioio, 0x1000_0e1c, 8, [.swScratch: 0x10810])
            .with([1, 2, 3, 4, 5, 6, 7, 8], at: 0x810)
        #expect(
            harness.vmgexit(page).port
                == PortAccess(
                    port: 0x1000, size: 1, count: 8, data: [1, 2, 3, 4, 5, 6, 7, 8], isInput: false)
        )
        #expect(harness.complete().resumed?.outcome == .ok)
    }

    @Test("string IN puts its data into the shared buffer")
    func stringInput() throws {
        let harness = GHCBHarness()
        let page = GHCBPage.request(.ioio, 0x0060_0225, 2, [.swScratch: 0x10800])
        #expect(
            harness.vmgexit(page).port
                == PortAccess(port: 0x60, size: 2, count: 2, data: [], isInput: true))
        let response = try #require(harness.complete([1, 2, 3]).resumed?.responsePage)
        #expect(response.scratch(at: 0x800, count: 5) == [1, 2, 3, 0xff, 0])
    }

    @Test(
        "accesses of no bytes are resumed without a word",
        arguments: [
            GHCBPage.request(.ioio, 0x03f8_0200, 0, [.rax: 1]),
            .request(.ioio, 0x03f8_0204, 5, [.swScratch: 0x5000]),
            .request(.ioio, 0x03f8_0214, 0, [.swScratch: 0x5000]),
            .request(.mmioRead, 0xfe00_0000, 0, [.swScratch: 0]),
            .request(.mmioWrite, 0xfe00_0000, 0, [.swScratch: 0x5000]),
        ])
    func nothing(_ page: GHCBPage) {
        let harness = GHCBHarness()
        let exchange = harness.exchange(page)
        #expect(exchange?.outcome == .ok)
        #expect(exchange?.responsePage?.value(.swExitInfo1) == 0)
    }

    @Test(
        "a string of more than INT_MAX units or bytes makes KVM_RUN fail with EINVAL",
        arguments: [(UInt64(0x10), UInt64(0x8000_0000)), (0x40, 0x2000_0000), (0x40, .max)])
    func tooLong(size: UInt64, count: UInt64) {
        let harness = GHCBHarness()
        let page = GHCBPage.request(.ioio, 0x03f8_0204 | size, count, [.swScratch: 0x10800])
        guard case .terminated(.runFailed(errno: 22, _)) = harness.vmgexit(page).ended?.outcome
        else {
            Issue.record("not EINVAL")
            return
        }
    }

    @Test("MMIO reads and writes go through the shared buffer, whatever the address")
    func mmio() throws {
        let harness = GHCBHarness()
        let write = GHCBPage.request(.mmioWrite, 0x2000, 4, [.swScratch: 0x10fec])
            .with([1, 2, 3, 4], at: 0xfec)
        #expect(
            harness.vmgexit(write).mmio
                == MMIOAccess(address: .init(0x2000), length: 4, data: [1, 2, 3, 4], isRead: false))
        #expect(harness.complete().resumed?.outcome == .ok)
        let read = GHCBPage.request(.mmioRead, .max, 8, [.swScratch: 0x10800])
        #expect(
            harness.vmgexit(read).mmio
                == MMIOAccess(address: .init(.max), length: 8, data: [], isRead: true))
        let response = try #require(
            harness.complete([9, 8, 7, 6, 5, 4, 3, 2]).resumed?.responsePage)
        #expect(response.scratch(at: 0x800, count: 8) == [9, 8, 7, 6, 5, 4, 3, 2])
    }

    @Test("version 2 moves at most 8 bytes, version 1 more, by eight")
    func longMMIO() throws {
        let page = GHCBPage.request(.mmioRead, 0xfe00_0000, 20, [.swScratch: 0x10800])
        let second = GHCBHarness(version: 2)
        #expect(second.exchange(page)?.outcome == .malformed(reason: 5))
        let first = GHCBHarness(version: 1)
        var step = first.vmgexit(page)
        for (address, length) in [(UInt64(0xfe00_0000), 8), (0xfe00_0008, 8), (0xfe00_0010, 4)] {
            #expect(step.mmio?.address == .init(address))
            #expect(step.mmio?.length == length)
            step = first.complete([UInt8](repeating: UInt8(length), count: length))
        }
        let response = try #require(step.resumed?.responsePage)
        #expect(
            response.scratch(at: 0x800, count: 21)
                == [UInt8](repeating: 8, count: 16)[...] + [4, 4, 4, 4, 0])
    }

    @Test("what another vCPU writes to the page meanwhile is not lost")
    func sharedPage() throws {
        let harness = GHCBHarness()
        _ = harness.vmgexit(.request(.ioio, 0x03f8_0211))
        _ = harness.memory.write([0x77], to: .init(0x10340))
        let response = try #require(harness.complete([1]).resumed?.responsePage)
        #expect(response.raw(.r8) == 0x77)
        #expect(response.value(.rax) == 1)
    }
}

@Suite("The scratch area")
struct ScratchTests {
    /// SW_SCRATCH, length, and what versions 1 and 2 make of it; the GHCB is at 0x10000.
    enum Verdict { case accepted, refused, notReadable }
    static let areas: [(UInt64, UInt64, Verdict, Verdict)] = [
        (0x10800, 8, .accepted, .accepted), (0x10fe8, 8, .accepted, .accepted),
        (0x10fe9, 8, .refused, .refused), (0x107ff, 1, .refused, .refused),
        (0x10ff0, 1, .refused, .refused), (0x10000, 8, .refused, .refused),
        (0, 8, .refused, .refused), (0xffff_ffff_ffff_fffc, 8, .refused, .refused),
        (0x5000, 8, .accepted, .refused), (0xfffc, 8, .accepted, .refused),
        (0x40000, 8, .notReadable, .refused), (0x3fffc, 8, .notReadable, .refused),
    ]

    @Test("must lie in the shared buffer; version 1 allows other memory too", arguments: areas)
    func place(scratch: UInt64, length: UInt64, first: Verdict, second: Verdict) {
        let page = GHCBPage.request(.mmioWrite, 0xfe00_0000, length, [.swScratch: scratch])
        for (version, expected) in [(1, first), (2, second)] {
            let harness = GHCBHarness(version: version)
            let step = harness.vmgexit(page)
            switch expected {
            case .accepted: #expect(step.mmio != nil)
            case .refused: #expect(step.resumed?.outcome == .malformed(reason: 3))
            case .notReadable:
                guard case .terminated(.runFailed(errno: 14, _)) = step.ended?.outcome else {
                    Issue.record("not EFAULT")
                    continue
                }
            }
        }
    }

    @Test("outside the page it has at most 64 KiB")
    func limit() {
        let harness = GHCBHarness(version: 1)
        func step(_ count: UInt64) -> HypervisorModel.Step {
            harness.vmgexit(.request(.ioio, 0x03f8_0214, count, [.swScratch: 0x20000]))
        }
        #expect(step(0x10001).resumed?.outcome == .malformed(reason: 3))
        #expect(step(0x10000).port?.count == 4096)
    }

    @Test("outside the page, ports are handed out by 4096 bytes and input is written at the end")
    func copy() throws {
        let harness = GHCBHarness(version: 1)
        var step = harness.vmgexit(.request(.ioio, 0x0060_0245, 1025, [.swScratch: 0x20000]))
        #expect(step.port?.count == 1024)
        step = harness.complete([UInt8](repeating: 0xab, count: 4096))
        #expect(step.port?.count == 1)
        #expect(harness.memory.bytes[0x20000] == 0)
        step = harness.complete([1, 2, 3, 4])
        #expect(step.resumed?.outcome == .ok)
        #expect(harness.memory.bytes[0x20fff...0x21004] == [0xab, 1, 2, 3, 4, 0])
    }

    @Test("output outside the page is what was there when the guest asked")
    func outputCopy() {
        let harness = GHCBHarness(version: 1)
        harness.memory.bytes.replaceSubrange(0x20000..<0x20003, with: Array("abc".utf8))
        let step = harness.vmgexit(.request(.ioio, 0x03f8_0214, 3, [.swScratch: 0x20000]))
        #expect(step.port?.data == Array("abc".utf8))
    }
}

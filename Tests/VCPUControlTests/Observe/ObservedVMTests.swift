import Testing

@testable import VCPUControl

@Suite("Records of VMs")
struct ObservedVMTests {
    private static func vm(
        _ mark: UInt64, descriptor: UInt32, isES: UInt32 = 0, hasSEV: UInt32 = 0
    ) -> [UInt8] {
        var record = RecordBytes(1, descriptor)
        record.add(mark)
        for word: UInt32 in [4242, 2, 0, hasSEV, isES, 9, 2, 0] { record.add(word) }
        return record.bytes
    }

    private static func slot(_ mark: UInt64, id: UInt32, gpa: UInt64) -> [UInt8] {
        var record = RecordBytes(2, 1)
        record.add(mark, gpa, 0x2000, 0x7f00_0000_0000)
        record.add(id)
        record.add(UInt32(0))
        return record.bytes
    }

    private static func vcpu(_ mark: UInt64, id: UInt32, hasVMCB: UInt32 = 0) -> [UInt8] {
        var record = RecordBytes(3, 10 + id)
        record.add(mark)
        record.add(id)
        record.add(UInt32(500 + id))
        record.add(UInt64(12345))
        record.add(0x2_0001, 0x10_0000, 0x20_0000, 0, 0, 0x402)
        record.add(UInt32(2))
        record.add(hasVMCB)
        record.add(0x7b, 0x42_0041, 0x10_0026, 0x10_0027, 0x1000, 0x7000)
        record.add(UInt32(2))
        record.add(UInt32(0))
        return record.bytes
    }

    @Test("slots and vCPUs come to their VM, in order")
    func grouping() throws {
        let bytes =
            Self.slot(8, id: 1, gpa: 0x10_0000) + Self.slot(8, id: 0, gpa: 0)
            + Self.vm(8, descriptor: 5) + Self.vcpu(9, id: 0) + Self.vm(9, descriptor: 4)
            + Self.vcpu(8, id: 1) + Self.vcpu(8, id: 0)
        let vms = try #require(ObservedVM.decode(bytes))
        #expect(vms.map(\.descriptor) == [4, 5])
        #expect(vms.map { $0.vcpus.map(\.id) } == [[0], [0, 1]])
        let slots = try #require(vms[1].slots.value)
        #expect(slots.map(\.id) == [0, 1])
        #expect(slots[1].flags == .logsDirtyPages)
        #expect(slots[1].hostAddress(of: GuestPhysicalAddress(0x10_1fff)) == 0x7f00_0000_1fff)
        #expect(slots[1].hostAddress(of: GuestPhysicalAddress(0x10_2000)) == nil)
        #expect(slots[1].hostAddress(of: GuestPhysicalAddress(0)) == nil)
        #expect(vms[0].vcpus[0].thread == .known(500, from: .direct))
        #expect(vms[0].vcpus[0].debug?.used == [0])
        #expect(vms[0].vcpus[0].lastExit.name == "KVM_EXIT_IO")
        #expect(vms[0].vcpus[0].vmcb == nil && vms[0].sev == nil)
    }

    @Test("a VMCB shows the registers, and of an SEV-ES guest none")
    func protected() throws {
        let plain = try #require(
            ObservedVM.decode(Self.vcpu(8, id: 0, hasVMCB: 1) + Self.vm(8, descriptor: 4)))
        let vmcb = try #require(plain.first?.vcpus.first?.vmcb)
        #expect(vmcb.exitCode == .ioio && vmcb.asid == 2 && vmcb.ghcb == 0x7000)
        #expect(vmcb.rip == .known(GuestVirtualAddress(0x10_0027), from: .direct))
        let secret = try #require(
            ObservedVM.decode(
                Self.vcpu(8, id: 0, hasVMCB: 1)
                    + Self.vm(8, descriptor: 4, isES: 1, hasSEV: 1)))
        let hidden = try #require(secret.first?.vcpus.first?.vmcb)
        #expect(hidden.rip == .hidden(.protected) && hidden.cr3 == .hidden(.protected))
        #expect(secret.first?.sev?.isES == true && secret.first?.sev?.ghcbVersion == 2)
        let line = JSONRenderer.value(for: ObserveEvent.vms(secret)).text
        #expect(line.contains(#""rip":null,"cr3":null"#))
    }

    @Test("a VM whose descriptor is closed shows by its vCPUs")
    func closed() throws {
        let vms = try #require(ObservedVM.decode(Self.vcpu(8, id: 3)))
        #expect(vms.map(\.descriptor) == [nil] && vms[0].vcpus.map(\.id) == [3])
    }

    @Test("a VM whose descriptor is closed has its memory slots by its first vCPU, and others once")
    func slotsOfVCPU() throws {
        let first = Self.slot(8, id: 0, gpa: 0) + Self.vm(8, descriptor: .max)
        let closed = try #require(ObservedVM.decode(first + Self.vcpu(8, id: 0)))
        #expect(closed.map(\.descriptor) == [nil])
        #expect(closed[0].slots.value?.map(\.id) == [0])
        let both = Self.slot(8, id: 0, gpa: 0) + Self.vm(8, descriptor: 4) + first
        let open = try #require(ObservedVM.decode(both))
        #expect(open.map(\.descriptor) == [4] && open[0].slots.value?.count == 1)
    }

    @Test("bytes that the program does not write are no VMs")
    func hostile() {
        let whole = Self.slot(8, id: 0, gpa: 0) + Self.vm(8, descriptor: 4)
        for count in 1..<whole.count where count != Self.slot(8, id: 0, gpa: 0).count {
            #expect(ObservedVM.decode(Array(whole.prefix(count))) == nil)
        }
        #expect(ObservedVM.decode(RecordBytes(4).bytes) == nil)
        #expect(ObservedVM.decode([]) == [])
    }

    @Test("slots at the end of the address space do not trap")
    func extremes() throws {
        let vms = try #require(ObservedVM.decode(Self.slot(8, id: 0, gpa: .max)))
        let slot = try #require(vms.first?.slots.value?.first)
        #expect(slot.line.contains("0xffffffffffffffff"))
        #expect(slot.hostAddress(of: GuestPhysicalAddress(.max)) == 0x7f00_0000_0000)
    }
}

@Suite("Counters of vCPUs")
struct VCPUActivityTests {
    /// Counters with one exit of a reason, by its position, and one place.
    private static func counters(
        isa: UInt32, position: Int, thread: UInt32 = 9, place: UInt64 = 1 << 60 | 1 << 59 | 0x3f8
    ) -> [UInt8] {
        var record = RecordBytes(thread, isa, 0, 5, 0, 0)
        record.add(0, 0, 0, 0, 7, 8)
        for index in 0..<0x111 + 64 {
            if index == position { record.add(32, 2, 3000, 2000) } else { record.add(0, 0, 0, 0) }
        }
        record.add(place, 4)
        for _ in 1..<64 { record.add(0, 0) }
        return record.bytes
    }

    @Test(
        "the counters' positions are SVM's codes, VMX's reasons and KVM_EXIT_*",
        arguments: [
            (UInt32(2), 0x7b, "IOIO", "0x7b"), (2, 0x103, "VMGEXIT", "0x403"),
            (2, 0x110, "other", "?"), (1, 48, "EPT_VIOLATION", "48"), (1, 200, "200", "200"),
            (0, 5, "other", "?"), (2, 0x111 + 2, "KVM_EXIT_IO", "2"),
            (0, 0x111 + 24, "KVM_EXIT_SYSTEM_EVENT", "24"),
            (1, 0x111 + 39, "KVM_EXIT_MEMORY_FAULT", "39"), (1, 0x111 + 63, "63", "63"),
        ])
    func names(isa: UInt32, position: Int, name: String, number: String) throws {
        let bytes = Self.counters(isa: isa, position: position)
        let activity = try #require(VCPUActivity.decode(bytes))
        let exits = try #require((activity.hardware + activity.userspace).first)
        #expect(activity.hardware.count + activity.userspace.count == 1)
        #expect(exits.reason.name == name && exits.reason.number == number)
        #expect(exits.count == 32 && exits.meanNanoseconds == 1500 && exits.longest == 2000)
        #expect(activity.lost == 5 && activity.failed == 7 && activity.otherPlaces == 8)
    }

    @Test("places say what was reached for, and how")
    func places() throws {
        let port = try #require(VCPUActivity.decode(Self.counters(isa: 2, position: 0)))
        #expect(port.places.map(\.text) == ["port 0x3f8 write"] && port.places[0].count == 4)
        let msr = Self.counters(isa: 2, position: 0, place: 3 << 60 | 0xc001_0010)
        #expect(VCPUActivity.decode(msr)?.places.map(\.text) == ["msr 0xc0010010 (SYSCFG) read"])
        let nothing = Self.counters(isa: 2, position: 0, place: 15 << 60 | 1)
        #expect(VCPUActivity.decode(nothing)?.places.isEmpty == true)
    }

    @Test("counters that no thread uses, and short ones, are none")
    func hostile() {
        #expect(VCPUActivity.decode(Self.counters(isa: 2, position: 0, thread: 0)) == nil)
        let whole = Self.counters(isa: 2, position: 0)
        #expect(VCPUActivity.decode(Array(whole.dropLast())) == nil)
        #expect(VCPUActivity.decode(Array(whole.prefix(40))) == nil)
    }

    @Test("a table shows what is new since the last one, with its rate")
    func table() throws {
        var renderer = ObserveRenderer(hasColor: false)
        let activity = try #require(VCPUActivity.decode(Self.counters(isa: 2, position: 0x7b)))
        let vcpu = ObservedActivity(vcpu: 0, activity: activity)
        let first = renderer.text(for: .activity(seconds: 2, sampled: 0.125, [vcpu]))
        #expect(first.hasPrefix("[2.0 s; times and places from 12 % of it]\n"))
        #expect(first.contains("IOIO") && first.contains("16/s") && first.contains("mean 1.5 us"))
        #expect(renderer.text(for: .activity(seconds: 3, sampled: 1, [vcpu])).isEmpty)
    }
}

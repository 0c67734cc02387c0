// From the records of the program `inspect`; the fields are those of observe.h, in its order.

extension ObservedVM {
    /// Reads the VMs of a process, in the order of their descriptors.
    ///
    /// - Returns: `nil` for bytes that the program cannot have written.
    static func decode(_ bytes: [UInt8]) -> [ObservedVM]? {
        var reader = RecordReader(bytes)
        var found = VMRecords()
        while !reader.isAtEnd {
            guard found.take(from: &reader) else { return nil }
        }
        return found.vms
    }
}

/// The records, gathered by VM.
private struct VMRecords {
    private struct Gathered {
        var descriptor: Int?
        var process: UInt32?
        var sev: ObservedVM.SEV?
        var hasMoreSlots = false
        /// By their numbers, for a VM is written for its descriptor and for its first vCPU.
        var slots: [UInt32: MemorySlot] = [:]
        var vcpus: [ObservedVM.VCPU] = []
    }

    /// By the kernel's mark of the VM, which is not shown.
    private var gathered: [UInt64: Gathered] = [:]

    var vms: [ObservedVM] {
        gathered.values.sorted { ($0.descriptor ?? .max) < ($1.descriptor ?? .max) }.map { vm in
            let slots = vm.slots.values.sorted {
                ($0.addressSpace, $0.start, $0.id) < ($1.addressSpace, $1.start, $1.id)
            }
            return ObservedVM(
                descriptor: vm.descriptor, process: vm.process, sev: vm.sev,
                slots: .known(slots, from: .direct), hasMoreSlots: vm.hasMoreSlots,
                vcpus: vm.vcpus.map { $0.hidingState(isProtected: vm.sev?.isES == true) }
                    .sorted { $0.id < $1.id })
        }
    }

    /// - Returns: false for what is no record.
    mutating func take(from reader: inout RecordReader) -> Bool {
        switch reader.word32() {
        case 1: takeVM(from: &reader) != nil
        case 2: takeSlot(from: &reader) != nil
        case 3: takeVCPU(from: &reader) != nil
        default: false
        }
    }

    private mutating func takeVM(from reader: inout RecordReader) -> Void? {
        guard let descriptor = reader.word32(), let vm = reader.word64(),
            let process = reader.word32(), reader.word32() != nil, let hasMore = reader.word32(),
            let hasSEV = reader.word32(),
            let isES = reader.word32(), let asid = reader.word32(),
            let version = reader.word32(), reader.word32() != nil
        else { return nil }
        var known = gathered[vm] ?? Gathered()
        if descriptor != .max { known.descriptor = Int(descriptor) }
        known.process = process
        known.hasMoreSlots = hasMore != 0
        if hasSEV != 0 {
            known.sev = ObservedVM.SEV(
                isES: isES != 0, asid: asid, ghcbVersion: version == 0 ? nil : Int(version))
        }
        gathered[vm] = known
        return ()
    }

    private mutating func takeSlot(from reader: inout RecordReader) -> Void? {
        guard let flags = reader.word32(), let vm = reader.word64(), let start = reader.word64(),
            let size = reader.word64(), let hostAddress = reader.word64(),
            let id = reader.word16(), let space = reader.word16(), reader.word32() != nil
        else { return nil }
        gathered[vm, default: Gathered()].slots[UInt32(space) << 16 | UInt32(id)] =
            MemorySlot(
                id: Int(id), addressSpace: Int(space), start: GuestPhysicalAddress(start),
                size: size, hostAddress: hostAddress, flags: MemorySlot.Flags(rawValue: flags))
        return ()
    }

    private mutating func takeVCPU(from reader: inout RecordReader) -> Void? {
        guard let descriptor = reader.word32(), let vm = reader.word64(), let id = reader.word32(),
            let thread = reader.word32(), let exits = reader.word64(),
            let debug = Self.debug(from: &reader),
            let reason = reader.word32(), let hasVMCB = reader.word32(),
            let vmcb = Self.vmcb(from: &reader)
        else { return nil }
        gathered[vm, default: Gathered()].vcpus.append(
            ObservedVM.VCPU(
                id: Int(id), descriptor: Int(descriptor), thread: .known(thread, from: .direct),
                exits: .known(exits, from: .direct), lastExit: ExitReason(kvmRun: reason),
                debug: debug,
                vmcb: hasVMCB == 0 ? nil : vmcb))
        return ()
    }

    private static func debug(from reader: inout RecordReader) -> VMMDebug? {
        guard let control = reader.word64(), let dr0 = reader.word64(), let dr1 = reader.word64(),
            let dr2 = reader.word64(), let dr3 = reader.word64(), let dr7 = reader.word64()
        else { return nil }
        return VMMDebug(control: control, addresses: [dr0, dr1, dr2, dr3], dr7: dr7)
    }

    private static func vmcb(from reader: inout RecordReader) -> ObservedVM.VMCB? {
        guard let code = reader.word64(), let info1 = reader.word64(), let info2 = reader.word64(),
            let rip = reader.word64(), let cr3 = reader.word64(), let ghcb = reader.word64(),
            let asid = reader.word32(), reader.word32() != nil
        else { return nil }
        return ObservedVM.VMCB(
            exitCode: ExitCode(code), exitInfo1: info1, exitInfo2: info2, asid: asid, ghcb: ghcb,
            rip: .known(GuestVirtualAddress(rip), from: .direct), cr3: .known(cr3, from: .direct))
    }
}

extension ObservedVM.VCPU {
    /// An SEV-ES guest's registers are not in the VMCB: what is there means nothing.
    fileprivate func hidingState(isProtected: Bool) -> Self {
        var vcpu = self
        if isProtected {
            vcpu.vmcb?.rip = .hidden(.protected)
            vcpu.vmcb?.cr3 = .hidden(.protected)
        }
        return vcpu
    }
}

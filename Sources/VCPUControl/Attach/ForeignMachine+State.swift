internal import CKVM

// Looking at a foreign VM and changing it.
//
// Unsafe: reads structs of C out of bytes of their size.
extension ForeignMachine {
    /// `MSR_AMD64_SEV_ES_GHCB`.
    static let ghcbMSR: UInt32 = 0xc001_0130

    package func instructions(of vcpu: Int) -> UInt64 {
        state.vcpus.indices.contains(vcpu) ? state.vcpus[vcpu].steps : 0
    }

    package func isOutside(_ vcpu: Int) -> Bool {
        state.vcpus.indices.contains(vcpu) && state.vcpus[vcpu].isOutside
    }

    package func registers(of vcpu: Int) -> Reading<RegisterFile> {
        guard !isProtected else { return .hidden(.protected) }
        guard state.vcpus.indices.contains(vcpu) else { return .hidden(.unmapped) }
        settle()
        return state.vcpus[vcpu].registers.map { .known($0, from: .direct) } ?? .hidden(.outside)
    }

    package func setRegister(
        _ register: Register, of vcpu: Int, to value: UInt64
    ) throws(MachineError) {
        let number = try checked(vcpu)
        let bytes = try ask(number, ckvm_request_get_regs, "KVM_GET_REGS", kvm_regs())
        guard var file = RegisterFile(bytes: bytes) else { return }
        file[register] = value
        _ = try ask(number, ckvm_request_set_regs, "KVM_SET_REGS", kvm_regs(file: file))
        state.vcpus[number].registers = file
        cache = Cache()
    }

    package func systemRegisters(of vcpu: Int) -> Reading<SystemRegisters> {
        guard !isProtected else { return .hidden(.protected) }
        if let known = cache.system[vcpu] { return .known(known, from: .direct) }
        do throws(MachineError) {
            let bytes = try ask(vcpu, ckvm_request_get_sregs, "KVM_GET_SREGS", kvm_sregs())
            var system = SystemRegisters(sregs: Self.value(of: bytes, kvm_sregs()))
            let debug = Self.value(
                of: try ask(
                    vcpu, ckvm_request_get_debug_registers, "KVM_GET_DEBUGREGS", kvm_debugregs()),
                kvm_debugregs())
            (system.dr6, system.dr7) = (debug.dr6, debug.dr7)
            let extended = Self.value(
                of: try ask(vcpu, ckvm_request_get_xcrs, "KVM_GET_XCRS", kvm_xcrs()), kvm_xcrs())
            system.xcr0 = extended.xcrs.0.value
            if let ghcb = modelSpecificRegister(Self.ghcbMSR, of: vcpu).value { system.ghcb = ghcb }
            cache.system[vcpu] = system
            return .known(system, from: .direct)
        } catch { return .hidden(.outside) }
    }

    package func modelSpecificRegister(_ number: UInt32, of vcpu: Int) -> Reading<UInt64> {
        guard !isProtected else {
            guard number == Self.ghcbMSR, let value = vmcb(of: vcpu)?.ghcb else {
                return .hidden(.protected)
            }
            return .known(value, from: .direct)
        }
        let request = ckvm_one_msr(number, 0)
        do throws(MachineError) {
            let (count, bytes) = try call(vcpu, ckvm_request_get_msrs, "KVM_GET_MSRS", request)
            guard count == 1 else { return .hidden(.absent) }
            return .known(Self.value(of: bytes, request).entry.data, from: .direct)
        } catch { return .hidden(.outside) }
    }

    package func setModelSpecificRegister(
        _ number: UInt32, of vcpu: Int, to value: UInt64
    ) throws(MachineError) {
        let request = ckvm_one_msr(number, value)
        let (count, _) = try call(vcpu, ckvm_request_set_msrs, "KVM_SET_MSRS", request)
        guard count == 1 else {
            throw .refused(
                "KVM does not set MSR \(number.hex) to \(value.hex): this VM has no such register,"
                    + " or the value is not allowed")
        }
    }

    package func setSystemRegister(
        _ register: SystemRegisterName, of vcpu: Int, to value: UInt64
    ) throws(MachineError) {
        let number = try checked(vcpu)
        let bytes = try ask(number, ckvm_request_get_sregs, "KVM_GET_SREGS", kvm_sregs())
        var system = Self.value(of: bytes, kvm_sregs())
        switch register {
        case .cr0: system.cr0 = value
        case .cr2: system.cr2 = value
        case .cr3: system.cr3 = value
        case .cr4: system.cr4 = value
        case .cr8: system.cr8 = value
        case .efer: system.efer = value
        case .fsBase: system.fs.base = value
        case .gsBase: system.gs.base = value
        case .gdtr: system.gdt.base = value
        case .idtr: system.idt.base = value
        default:
            throw .refused(
                "$\(register.rawValue) cannot be set: a selector alone makes no segment, and the rest"
                    + " is not in KVM_SET_SREGS; the control registers, efer and the bases can")
        }
        _ = try ask(number, ckvm_request_set_sregs, "KVM_SET_SREGS", system)
        cache = Cache()
    }

    /// The struct that an ioctl left; `initial` where it is too short.
    static func value<Value>(of bytes: [UInt8], _ initial: Value) -> Value {
        guard bytes.count >= MemoryLayout<Value>.size else { return initial }
        return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: Value.self) }
    }

    package func translate(
        _ address: GuestVirtualAddress, on vcpu: Int
    ) -> Reading<Translation?> {
        guard !isProtected else { return .hidden(.protected) }
        guard state.vcpus.indices.contains(vcpu) else { return .hidden(.unmapped) }
        let place = physical(address.rawValue, vcpu)
        return .known(
            place.map { Translation(address: .init($0), isPrivate: false) }, from: .direct)
    }

    /// What `KVM_TRANSLATE` says; asked once for a page as long as the guest stands still.
    func physical(_ linear: UInt64, _ vcpu: Int) -> UInt64? {
        let page = Cache.Page(vcpu: vcpu, linear: linear & ~0xfff)
        if let known = cache.pages[page] { return known.map { $0 | linear & 0xfff } }
        var request = kvm_translation()
        request.linear_address = page.linear
        let bytes = try? ask(vcpu, ckvm_request_translate, "KVM_TRANSLATE", request)
        let found = bytes.map { Self.value(of: $0, request) }
        let place = found.flatMap { $0.valid != 0 ? $0.physical_address : nil }
        cache.pages[page] = .some(place)
        return place.map { $0 | linear & 0xfff }
    }

    package func read(
        _ address: GuestPhysicalAddress, count: Int, as view: MemoryView
    ) -> Reading<[UInt8]> {
        if isProtected, view != .shared { return .hidden(.protected) }
        let place = GuestExtent.host(of: address.rawValue, count: count, in: guestMemory.slots)
        guard let place, let bytes = memory.read(place, count: count) else {
            return .hidden(.unlocated)
        }
        return .known(bytes, from: .direct)
    }

    package func write(
        _ bytes: [UInt8], to address: GuestPhysicalAddress, as view: MemoryView
    ) throws(MachineError) {
        if isProtected, view != .shared {
            throw .refused("cannot write: SEV-ES keeps the guest's private memory from the host")
        }
        let place = GuestExtent.host(
            of: address.rawValue, count: bytes.count, in: guestMemory.slots)
        guard let place, memory.write(bytes, to: place) else {
            throw .noMemory(address, count: bytes.count)
        }
    }

    package func isPrivate(_ page: GuestPhysicalAddress) -> Reading<Bool> {
        if isProtected { return .hidden(.protected) }
        let place = GuestExtent.host(of: page.rawValue, in: guestMemory.slots)
        return place == nil ? .hidden(.unlocated) : .known(false, from: .direct)
    }
}

extension ckvm_one_msr {
    fileprivate init(_ number: UInt32, _ value: UInt64) {
        self.init()
        count = 1
        (entry.index, entry.data) = (number, value)
    }
}

extension RegisterFile {
    /// The bytes of a `struct kvm_regs`; `nil` where they are too few.
    init?(bytes: [UInt8]) {
        guard bytes.count >= MemoryLayout<kvm_regs>.size else { return nil }
        self.init(kvm: ForeignMachine.value(of: bytes, kvm_regs()))
    }
}

extension SystemRegisters {
    /// `struct kvm_sregs`; XCR0 and the debug registers are not in it.
    init(sregs registers: kvm_sregs) {
        self.init()
        (es, cs, ss) = (
            Segment(kvm: registers.es), Segment(kvm: registers.cs), Segment(kvm: registers.ss)
        )
        (ds, fs, gs) = (
            Segment(kvm: registers.ds), Segment(kvm: registers.fs), Segment(kvm: registers.gs)
        )
        (ldtr, tr) = (Segment(kvm: registers.ldt), Segment(kvm: registers.tr))
        gdtr = DescriptorTable(base: registers.gdt.base, limit: registers.gdt.limit)
        idtr = DescriptorTable(base: registers.idt.base, limit: registers.idt.limit)
        (cr0, cr2, cr3) = (registers.cr0, registers.cr2, registers.cr3)
        (cr4, cr8, efer) = (registers.cr4, registers.cr8, registers.efer)
    }
}

extension Segment {
    /// `struct kvm_segment`.
    init(kvm segment: kvm_segment) {
        var attributes = UInt16(segment.type & 15) | UInt16(segment.s & 1) << 4
        attributes |= UInt16(segment.dpl & 3) << 5 | UInt16(segment.present & 1) << 7
        attributes |= UInt16(segment.avl & 1) << 8 | UInt16(segment.l & 1) << 9
        attributes |= UInt16(segment.db & 1) << 10 | UInt16(segment.g & 1) << 11
        self.init(
            selector: segment.selector, attributes: attributes, limit: segment.limit,
            base: segment.base)
    }
}

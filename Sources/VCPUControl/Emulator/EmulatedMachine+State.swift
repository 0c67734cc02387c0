/// Looking at the VM and changing it from outside.
///
/// Unsafe: reaches the vCPUs in place; numbers are checked first.
extension EmulatedMachine {
    package func instructions(of vcpu: Int) -> UInt64 {
        guard vcpu >= 0, vcpu < vcpuCount else { return 0 }
        return unsafe vcpus[vcpu].retired
    }

    package func registers(of vcpu: Int) -> Reading<RegisterFile> {
        guard visibility == .full else { return .hidden(.protected) }
        guard vcpu >= 0, vcpu < vcpuCount else { return .hidden(.unmapped) }
        return unsafe .known(vcpus[vcpu].registerFile(), from: .direct)
    }

    package func setRegister(
        _ register: Register, of vcpu: Int, to value: UInt64
    ) throws(MachineError) {
        guard visibility == .full else { throw Self.refusal("cannot set \(register.name)") }
        let number = try checked(vcpu)
        switch register {
        case .rip: unsafe vcpus[number].rip = value
        case .rflags:
            unsafe vcpus[number].flags.value = value & FlagBits.defined | FlagBits.alwaysOne
            unsafe vcpus[number].alignmentCheckChanged()
        default: unsafe vcpus[number].gpr[Int(register.rawValue)] = value
        }
    }

    package func systemRegisters(of vcpu: Int) -> Reading<SystemRegisters> {
        guard visibility == .full else { return .hidden(.protected) }
        guard vcpu >= 0, vcpu < vcpuCount else { return .hidden(.unmapped) }
        return unsafe .known(vcpus[vcpu].system, from: .direct)
    }

    package func translate(
        _ address: GuestVirtualAddress, on vcpu: Int
    ) -> Reading<Translation?> {
        guard visibility == .full else { return .hidden(.protected) }
        guard vcpu >= 0, vcpu < vcpuCount else { return .hidden(.unmapped) }
        let linear = address.rawValue
        guard EmulatedVCPU.isCanonical(linear),
            case .mapped(let mapping) = unsafe vcpus[vcpu].walk().resolve(linear)
        else { return .known(nil, from: .direct) }
        let place = GuestPhysicalAddress(mapping.address | linear & 0xfff)
        return .known(Translation(address: place, isPrivate: mapping.isPrivate), from: .direct)
    }

    package func read(
        _ address: GuestPhysicalAddress, count: Int, as view: MemoryView
    ) -> Reading<[UInt8]> {
        guard guest.contains(address.rawValue, count: count) else { return .hidden(.unmapped) }
        guard isVisible(address, count: count, as: view),
            let bytes = guest.read(address.rawValue, count: count, as: view)
        else { return .hidden(.protected) }
        return .known(bytes, from: .direct)
    }

    package func write(
        _ bytes: [UInt8], to address: GuestPhysicalAddress, as view: MemoryView
    ) throws(MachineError) {
        guard guest.contains(address.rawValue, count: bytes.count) else {
            throw .noMemory(address, count: bytes.count)
        }
        guard isVisible(address, count: bytes.count, as: view),
            guest.write(bytes, to: address.rawValue, as: view)
        else { throw Self.refusal("cannot write private memory") }
    }

    package func isPrivate(_ page: GuestPhysicalAddress) -> Reading<Bool> {
        guard guest.contains(page.rawValue, count: 1) else { return .hidden(.unmapped) }
        guard visibility == .full else { return .hidden(.protected) }
        let state = unsafe guest.states[Int(page.rawValue >> 12)]
        return .known(!state.contains(.shared), from: .direct)
    }

    package func setBreakpoints(_ addresses: Set<GuestVirtualAddress>) throws(MachineError) {
        guard visibility == .full || addresses.isEmpty else {
            throw Self.refusal("cannot set breakpoints")
        }
        breakpoints = Set(addresses.map(\.rawValue))
        placeBreakpoints()
    }

    package func setWatchpoints(_ bytes: [WatchedBytes]) throws(MachineError) {
        guard visibility == .full || bytes.isEmpty else {
            throw Self.refusal("cannot watch memory")
        }
        guest.watch(bytes.map(\.range))
    }

    /// Whether hardware would show these bytes: only pages that the guest uses as shared.
    private func isVisible(
        _ address: GuestPhysicalAddress, count: Int, as view: MemoryView
    ) -> Bool {
        guard visibility == .hardware else { return true }
        guard view != .private else { return false }
        var visible = true
        guest.eachPage(of: address.rawValue, count: count) { page, _, _ in
            if unsafe !guest.states[page].contains(.shared) { visible = false }
        }
        return visible
    }
}

extension EmulatedVCPU {
    /// The values of all registers; `mutating` so that the vCPU is read in place, not copied.
    mutating func registerFile() -> RegisterFile {
        let (rip, rflags) = (rip, flags.value)
        return unsafe withUnsafeMutablePointer(to: &gpr) { registers in
            let general = unsafe UnsafeRawPointer(registers)
                .loadUnaligned(as: SIMD16<UInt64>.self)
            return RegisterFile(general: general, rip: rip, rflags: rflags)
        }
    }
}

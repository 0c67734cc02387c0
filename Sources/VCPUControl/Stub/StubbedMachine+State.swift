// Registers, as the stub reports them.
extension StubbedMachine {
    /// A value of the stub's report; hidden while the vCPU is elsewhere.
    private func reported<Value>(
        _ vcpu: Int, _ value: (StubReport) -> Value
    ) -> Reading<Value> {
        guard vcpus.indices.contains(vcpu) else { return .hidden(.unmapped) }
        guard !isOver else { return .hidden(.protected) }
        guard let report = vcpus[vcpu].report else { return .hidden(.running) }
        return .known(value(report), from: .selfReport)
    }

    package func registers(of vcpu: Int) -> Reading<RegisterFile> { reported(vcpu, \.registers) }

    package func systemRegisters(of vcpu: Int) -> Reading<SystemRegisters> {
        reported(vcpu, \.system)
    }

    package func setRegister(
        _ register: Register, of vcpu: Int, to value: UInt64
    ) throws(MachineError) {
        let number = try checked(vcpu)
        guard vcpus[number].report != nil, !isOver else {
            throw .refused(
                "cannot set \(register.name) of vCPU \(number): it is not in the debug stub; let it"
                    + " run to a breakpoint, or step it")
        }
        let defined = FlagBits.defined
        vcpus[number].report?.registers[register] =
            register == .rflags ? value & defined | FlagBits.alwaysOne : value
        if register == .rip { fetchCode(number) }
    }

    /// The code where RIP was set to.
    private func fetchCode(_ number: Int) {
        let rip = GuestVirtualAddress(vcpus[number].report?.registers[.rip] ?? 0)
        let code = try? fetch(rip, count: 16, number)
        vcpus[number].report?.code = code.flatMap { $0 } ?? []
    }
}

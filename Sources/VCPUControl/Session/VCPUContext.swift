/// What expressions mean on one vCPU that stands still.
struct VCPUContext: ExpressionContext {
    let machine: any Machine
    let vcpu: Int
    let symbols: SymbolTable
    let values: [Expression.Value]

    func value(of register: NamedRegister, named name: String) throws(CommandFailure) -> UInt64 {
        switch register {
        case .part(let register, let shift, let bits):
            let value = try known(machine.registers(of: vcpu), name)[register] >> UInt64(shift)
            return bits == 64 ? value : value & ((1 << UInt64(bits)) - 1)
        case .system(.ghcb) where !machine.traits.readsGHCB:
            return try known(.hidden(.absent), name)
        case .modelSpecific(let number):
            return try known(machine.modelSpecificRegister(number, of: vcpu), name)
        case .system(let register):
            return register.value(in: try known(machine.systemRegisters(of: vcpu), name))
        }
    }

    private func known<Value>(
        _ reading: Reading<Value>, _ name: String
    ) throws(CommandFailure) -> Value {
        switch reading {
        case .known(let value, _): return value
        case .hidden(let reason):
            throw CommandFailure("$\(name) of vCPU \(vcpu) cannot be had: \(reason.sentence)")
        }
    }

    func address(of symbol: String) throws(CommandFailure) -> UInt64 {
        guard let address = symbols[symbol] else {
            throw CommandFailure(
                "there is no symbol \(EscapedText.line(symbol)) in the guest; give an address such"
                    + " as 0x100000")
        }
        return address.rawValue
    }

    func memory(_ unit: MemoryUnit, at address: UInt64) throws(CommandFailure) -> UInt64 {
        let view = GuestMemoryView(machine: machine, vcpu: vcpu)
        switch view.read(GuestVirtualAddress(address), count: unit.rawValue) {
        case .known(let bytes, _): return UInt64(littleEndian: bytes)
        case .hidden(let reason):
            throw CommandFailure("memory at \(address.hex) cannot be read: \(reason.sentence)")
        }
    }

    func history(_ number: Int?) throws(CommandFailure) -> Expression.Value {
        let index = (number ?? values.count) - 1
        guard values.indices.contains(index) else {
            throw CommandFailure("there is no value $\(number.map(String.init) ?? "") yet")
        }
        return values[index]
    }
}

extension Hidden {
    /// Why a value cannot be had, and what would help.
    package var sentence: String {
        switch self {
        case .protected:
            "SEV-ES protects it from the host; launch with --visibility full on the emulator"
        case .notValid: "the guest did not mark it valid in the GHCB's bitmap"
        case .wiped: "KVM overwrote it"
        case .running:
            "the vCPU is not in the debug stub, which alone can tell; step it, or stop it at a"
                + " breakpoint"
        case .needsBPF: "only BPF programs see it, which need root"
        case .outside:
            "its thread is in the VMM's own code; continue, and interrupt when it is back in KVM_RUN"
        case .unlocated: "where it lies in the VMM is not known; see info memory"
        case .absent: "this KVM has no such register"
        case .unmapped: "nothing is mapped there"
        }
    }
}

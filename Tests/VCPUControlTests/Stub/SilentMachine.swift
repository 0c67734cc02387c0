@testable import VCPUControl

/// An emulator as KVM's userspace sees it: of an exchange nothing but its port or memory access.
final class SilentMachine: Machine {
    private let base: EmulatedMachine

    init(_ base: EmulatedMachine) { self.base = base }

    var traits: MachineTraits {
        var traits = base.traits
        traits.reportsExchanges = false
        return traits
    }

    var vcpuCount: Int { base.vcpuCount }

    func run(_ scope: RunScope, limit: UInt64) throws(MachineError) -> (vcpu: Int, exit: VCPUExit) {
        while true {
            let (vcpu, exit) = try base.run(scope, limit: limit)
            guard case .vmgexit(let exchange) = exit else { return (vcpu, exit) }
            if case .terminated = exchange.outcome { return (vcpu, exit) }
        }
    }

    func complete(_ vcpu: Int, with data: [UInt8]) throws(MachineError) {
        try base.complete(vcpu, with: data)
    }

    func resume(_ vcpu: Int) throws(MachineError) { try base.resume(vcpu) }
    func injectNMI(_ vcpu: Int) throws(MachineError) { try base.injectNMI(vcpu) }
    func instructions(of vcpu: Int) -> UInt64 { 0 }
    func registers(of vcpu: Int) -> Reading<RegisterFile> { base.registers(of: vcpu) }

    func setRegister(_ register: Register, of vcpu: Int, to value: UInt64) throws(MachineError) {
        try base.setRegister(register, of: vcpu, to: value)
    }

    func systemRegisters(of vcpu: Int) -> Reading<SystemRegisters> {
        base.systemRegisters(of: vcpu)
    }

    func translate(_ address: GuestVirtualAddress, on vcpu: Int) -> Reading<Translation?> {
        base.translate(address, on: vcpu)
    }

    func read(
        _ address: GuestPhysicalAddress, count: Int, as view: MemoryView
    ) -> Reading<[UInt8]> {
        base.read(address, count: count, as: view)
    }

    func write(
        _ bytes: [UInt8], to address: GuestPhysicalAddress, as view: MemoryView
    ) throws(MachineError) {
        try base.write(bytes, to: address, as: view)
    }

    func isPrivate(_ page: GuestPhysicalAddress) -> Reading<Bool> { base.isPrivate(page) }
    func takeObservations() -> [Observation] { base.takeObservations() }

    func setBreakpoints(_ addresses: Set<GuestVirtualAddress>) throws(MachineError) {
        try base.setBreakpoints(addresses)
    }
}

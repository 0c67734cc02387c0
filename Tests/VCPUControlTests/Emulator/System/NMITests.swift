import Testing

@testable import VCPUControl

@Suite("NMI and HLT from outside")
struct NMITests {
    private func machine(_ name: String) throws -> EmulatedMachine {
        let image = try GuestImage.load(name)
        var options = LaunchOptions(image.defaults)
        options.hasDebugStub = true
        return try EmulatedMachine(LaunchPlan(image, options))
    }

    @Test("a vCPU goes on behind its HLT, and only there")
    func resume() throws {
        let machine = try machine("hello")
        #expect(throws: MachineError.self) { try machine.resume(0) }
        #expect(try machine.run(.all, limit: 10_000).exit == .halt)
        #expect(try machine.run(.all, limit: 10_000).exit == .idle)
        let place = machine.registers(of: 0).value?[.rip]
        try machine.resume(0)
        #expect(machine.registers(of: 0).value?[.rip] == place)
        _ = try machine.run(.one(0), limit: 1)
        #expect(machine.instructions(of: 0) > 0)
        #expect(throws: MachineError.noSuchVCPU(1)) { try machine.resume(1) }
    }

    @Test("an NMI ends a HLT, and the next one waits for NMI complete")
    func masked() throws {
        let machine = try machine("spin")
        _ = try machine.run(.all, limit: 10_000)
        try machine.injectNMI(0)
        #expect(machine.nmis[0].isDeliverable)
        _ = try machine.run(.one(0), limit: 1)
        #expect(machine.nmis[0].isMasked && !machine.nmis[0].isPending)
        try machine.injectNMI(0)
        #expect(!machine.nmis[0].isDeliverable)
        #expect(throws: MachineError.noSuchVCPU(7)) { try machine.injectNMI(7) }
    }

    @Test("an NMI without a gate is a shutdown, as on hardware")
    func noGate() throws {
        let machine = try EmulatedMachine(
            LaunchPlan(GuestImage.load("spin"), LaunchOptions(arguments: [.value(1000)])))
        try machine.injectNMI(0)
        guard case .shutdown(let text) = try machine.run(.all, limit: 100).exit else {
            Issue.record("no shutdown")
            return
        }
        #expect(text.contains("#NMI"))
        #expect(throws: MachineError.self) { try machine.injectNMI(0) }
    }
}

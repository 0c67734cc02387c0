import Testing

@testable import VCPUControl

/// The same plan on two machines, one instruction at a time.
struct Lockstep {
    /// Where the machines parted.
    struct Difference: CustomStringConvertible {
        var instruction: UInt64
        var text: String
        var description: String { "behind instruction \(instruction): \(text)" }
    }

    let plan: LaunchPlan
    let first, second: any Machine
    private(set) var instructions: UInt64 = 0
    /// Where each vCPU stood before the instruction.
    private var places: [UInt64]
    private let disassembler = Disassembler()

    init(_ plan: LaunchPlan, _ first: any Machine, _ second: any Machine) {
        (self.plan, self.first, self.second) = (plan, first, second)
        places = plan.vcpus.map { $0.registers[.rip] }
    }

    /// Steps until the guest is over, the machines part, or `limit` instructions are executed.
    mutating func run(limit: UInt64) throws -> Difference? {
        while instructions < limit {
            let (one, other) = (try first.run(.all, limit: 1), try second.run(.all, limit: 1))
            instructions += 1
            guard one.vcpu == other.vcpu, one.exit == other.exit else {
                return difference("\(one) and \(other)")
            }
            if let difference = try compareRegisters(of: one.vcpu) { return difference }
            switch one.exit {
            case .io(let access): try complete(one.vcpu, Devices().answer(access).data)
            case .mmio(let access): try complete(one.vcpu, Devices().answer(access).data)
            case .vmgexit(let exchange):
                if case .terminated = exchange.outcome { return compareMemory() }
            case .idle, .shutdown, .unimplemented: return compareMemory()
            default: break
            }
        }
        return compareMemory()
    }

    private func complete(_ vcpu: Int, _ data: [UInt8]) throws {
        try first.complete(vcpu, with: data)
        try second.complete(vcpu, with: data)
    }

    private func difference(_ text: String) -> Difference {
        Difference(instruction: instructions, text: text)
    }

    private mutating func compareRegisters(of vcpu: Int) throws -> Difference? {
        guard let one = first.registers(of: vcpu).value,
            let other = second.registers(of: vcpu).value
        else { return difference("registers are hidden") }
        for register in Register.allCases where one[register] != other[register] {
            let text = "\(register.name) \(one[register].hex), \(other[register].hex)"
            guard register == .rflags else { return difference(text) }
            let undefined = undefinedFlags(at: places[vcpu], on: vcpu)
            guard (one[.rflags] ^ other[.rflags]) & ~undefined == 0 else { return difference(text) }
            try first.setRegister(.rflags, of: vcpu, to: other[.rflags])
        }
        places[vcpu] = one[.rip]
        guard first.systemRegisters(of: vcpu) == second.systemRegisters(of: vcpu) else {
            return difference("system registers")
        }
        return nil
    }

    /// The flags that the instruction at an address leaves undefined (APM volume 3): there the CPU
    /// and the emulator differ.
    private func undefinedFlags(at address: UInt64, on vcpu: Int) -> UInt64 {
        let (auxiliary, overflow, rest): (UInt64, UInt64, UInt64) = (0x10, 0x800, 0xd4)
        guard case .known(let place?, _) = first.translate(.init(address), on: vcpu),
            let bytes = first.read(place.address, count: 15, as: .asUsed).value,
            let text = disassembler.disassemble(bytes, at: .init(address), symbols: plan.symbols)?
                .text
        else { return 0 }
        switch text.prefix(3) {
        case "and", "or ", "orb", "orw", "orl", "orq", "xor", "tes": return auxiliary
        case "shl", "shr", "sar": return auxiliary | overflow
        case "rol", "ror", "rcl", "rcr": return overflow
        case "mul", "imu": return rest
        case "bsf", "bsr": return rest & ~0x40 | overflow | 1
        default: return 0
        }
    }

    private func compareMemory() -> Difference? {
        let size = Int(plan.ramSize)
        let views = [first, second].map {
            $0.read(.init(0), count: size, as: .asUsed).value ?? []
        }
        guard views[0] != views[1] else { return nil }
        let place = zip(views[0], views[1]).enumerated().first { $1.0 != $1.1 }?.offset ?? 0
        return difference("memory at \(UInt64(place).hex)")
    }
}

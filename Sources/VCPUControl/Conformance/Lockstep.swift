/// The same plan on two machines, one instruction at a time, or some at once on the second one.
struct Lockstep {
    /// Where the machines parted.
    struct Difference {
        var instruction: UInt64
        var text: String
    }

    let plan: LaunchPlan
    let first, second: any Machine
    /// Instructions that the second machine executes at once.
    let stride: UInt64
    private(set) var instructions: UInt64 = 0
    /// Where each vCPU stood before the instruction.
    private var places: [UInt64]
    /// The flags of each vCPU that its instructions of this stride have left undefined.
    private var undefined: [UInt64]
    private let disassembler = Disassembler()

    init(_ plan: LaunchPlan, _ first: any Machine, _ second: any Machine, stride: UInt64 = 1) {
        (self.plan, self.first, self.second, self.stride) = (plan, first, second, stride)
        places = plan.vcpus.map { $0.registers[.rip] }
        undefined = plan.vcpus.map { _ in 0 }
    }

    /// Steps until the guest is over, the machines part, or `limit` instructions are executed.
    mutating func run(limit: UInt64) throws(MachineError) -> Difference? {
        while instructions < limit {
            let one = try advanceFirst()
            let other = try second.run(.all, limit: stride)
            guard one.vcpu == other.vcpu, one.exit == other.exit else {
                return difference("\(one) and \(other)")
            }
            for vcpu in plan.vcpus.indices {
                if let difference = try compareRegisters(of: vcpu) { return difference }
            }
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

    /// Executes a stride on the first machine, or what there is before an exit.
    private mutating func advanceFirst() throws(MachineError) -> (vcpu: Int, exit: VCPUExit) {
        var left = stride
        while true {
            let result = try first.run(.all, limit: 1)
            let vcpu = result.vcpu
            (instructions, left) = (instructions + 1, left - 1)
            undefined[vcpu] |= undefinedFlags(at: places[vcpu], on: vcpu)
            places[vcpu] = first.registers(of: vcpu).value?[.rip] ?? 0
            if result.exit != .limit || left == 0 { return result }
        }
    }

    private func complete(_ vcpu: Int, _ data: [UInt8]) throws(MachineError) {
        try first.complete(vcpu, with: data)
        try second.complete(vcpu, with: data)
    }

    private func difference(_ text: String) -> Difference {
        Difference(instruction: instructions, text: text)
    }

    private mutating func compareRegisters(of vcpu: Int) throws(MachineError) -> Difference? {
        guard let one = first.registers(of: vcpu).value,
            let other = second.registers(of: vcpu).value
        else { return difference("registers are hidden") }
        for register in Register.allCases where one[register] != other[register] {
            let text = "\(register.name) \(one[register].hex), \(other[register].hex)"
            guard register == .rflags else { return difference(text) }
            guard (one[.rflags] ^ other[.rflags]) & ~undefined[vcpu] == 0 else {
                return difference(text)
            }
            try first.setRegister(.rflags, of: vcpu, to: other[.rflags])
        }
        undefined[vcpu] = 0
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

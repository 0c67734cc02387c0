/// MOVS, STOS, LODS, CMPS and SCAS with their repeat prefixes.
extension EmulatedVCPU {
    /// Executes iterations up to the instruction count `end`; each is an instruction.
    ///
    /// A fault leaves the finished iterations done.
    /// - Returns: whether the instruction is over; its last iteration is left for the caller to
    ///   count. Otherwise RIP is to stay.
    @inline(never)
    mutating func string(_ i: Instruction, until end: UInt64) throws(Fault) -> Bool {
        switch i.width {
        case 1: try string(i, UInt8.self, until: end)
        case 2: try string(i, UInt16.self, until: end)
        case 4: try string(i, UInt32.self, until: end)
        default: try string(i, UInt64.self, until: end)
        }
    }

    @inline(__always)
    private mutating func string<T: Word>(
        _ i: Instruction, _: T.Type, until end: UInt64
    ) throws(Fault) -> Bool {
        var result = flags
        guard !i.prefixes.isDisjoint(with: [.rep, .repne]) else {
            try stringStep(i, T.self, &result)
            flags = result
            return true
        }
        var count = truncated(general(1), i)
        if i.prefixes.contains(.address32) { clearUpperHalves(i) }
        guard count != 0 else { return true }
        let generation = memory.generation
        while true {
            try stringStep(i, T.self, &result)
            count &-= 1
            setRegister(1, to: count)
            if count == 0 || endsEarly(i, result) { break }
            retired &+= 1
            // Until its end a repeated comparison shows its flags to a single step only: a fault
            // finds those from before it, however many runs it took to get there.
            if flags.trap { flags = result }
            // A change of translations, or a store that has to be looked at, ends the run loop's turn.
            if retired >= end || memory.generation != generation { return false }
        }
        flags = result
        return true
    }

    /// What processors do first when the counter is ECX, even for a count of zero or a fault.
    @inline(never)
    private mutating func clearUpperHalves(_ i: Instruction) {
        advance(1, by: 0, i)
        if i.operation == .movs { advance(6, by: 0, i) }
        if i.operation == .movs || i.operation == .stos { advance(7, by: 0, i) }
    }

    /// Whether the comparison of REPE or REPNE ends it.
    @inline(__always)
    private func endsEarly(_ i: Instruction, _ result: Flags) -> Bool {
        guard i.operation == .cmps || i.operation == .scas else { return false }
        return result.zero == i.prefixes.contains(.repne)
    }

    @inline(__always)
    private mutating func stringStep<T: Word>(
        _ i: Instruction, _: T.Type, _ result: inout Flags
    ) throws(Fault) {
        let size = UInt64(T.bitWidth / 8)
        let step = flags.direction ? 0 &- size : size
        switch i.operation {
        case .movs:
            try store(try loadSource(i, T.self), at: truncated(general(7), i), .es)
            advance(6, by: step, i)
            advance(7, by: step, i)
        case .stos:
            try store(register(0, T.self), at: truncated(general(7), i), .es)
            advance(7, by: step, i)
        case .lods:
            setRegister(0, to: try loadSource(i, T.self))
            advance(6, by: step, i)
        case .cmps:
            // Processors read the second operand first; one sees it where both fault.
            let b = try load(T.self, at: truncated(general(7), i), .es)
            _ = Subtract.apply(&result, try loadSource(i, T.self), b)
            advance(6, by: step, i)
            advance(7, by: step, i)
        default:
            let b = try load(T.self, at: truncated(general(7), i), .es)
            _ = Subtract.apply(&result, register(0, T.self), b)
            advance(7, by: step, i)
        }
    }

    @inline(__always)
    private mutating func loadSource<T: Word>(_ i: Instruction, _: T.Type) throws(Fault) -> T {
        let address = truncated(general(6), i) &+ segmentBase(i.segment)
        return try load(T.self, at: address, i.segment)
    }

    @inline(__always)
    private mutating func advance(_ number: UInt8, by step: UInt64, _ i: Instruction) {
        setRegister(number, to: truncated(general(number) &+ step, i))
    }
}

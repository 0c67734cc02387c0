/// Near branches. Each answers with the address of the next instruction.
extension EmulatedVCPU {
    /// An address to go to; #GP where it is not canonical.
    @inline(__always)
    func branchTarget(_ address: UInt64) throws(Fault) -> UInt64 {
        let extended = Int64(bitPattern: address &<< 16) &>> 16
        guard UInt64(bitPattern: extended) == address else { throw .generalProtection() }
        return address
    }

    /// JMP to what a register or memory holds.
    @inline(__always)
    mutating func jump(_ i: Instruction) throws(Fault) -> UInt64 {
        try branchTarget(try readDestination(i, UInt64.self))
    }

    /// CALL to an address.
    ///
    /// The return address is in memory, with RSP unmoved, when the target turns out not canonical.
    @inline(__always)
    mutating func call(_ target: UInt64, returningTo next: UInt64) throws(Fault) -> UInt64 {
        let top = general(4) &- 8
        try store(next, at: top, .ss)
        let checked = try branchTarget(target)
        setRegister(4, to: top)
        return checked
    }

    /// RET, with the bytes to drop as immediate.
    @inline(__always)
    mutating func ret(_ i: Instruction) throws(Fault) -> UInt64 {
        let target = try branchTarget(try load(UInt64.self, at: general(4), .ss))
        setRegister(4, to: general(4) &+ 8 &+ i.immediate)
        return target
    }

    /// LOOP, LOOPE and LOOPNE.
    mutating func loop(_ i: Instruction, next: UInt64) throws(Fault) -> UInt64 {
        let count = truncated(general(1) &- 1, i)
        let condition =
            switch i.operation {
            case .loope: flags.zero
            case .loopne: !flags.zero
            default: true
            }
        let target =
            count != 0 && condition ? try branchTarget(next &+ i.immediate) : next
        setRegister(1, to: count)
        return target
    }

    /// JRCXZ and JECXZ.
    mutating func jumpIfCountIsZero(_ i: Instruction, next: UInt64) throws(Fault) -> UInt64 {
        truncated(general(1), i) == 0 ? try branchTarget(next &+ i.immediate) : next
    }
}

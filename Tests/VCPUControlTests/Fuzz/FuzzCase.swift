import CNativeOracle

/// One instruction with everything it works on.
struct FuzzCase {
    /// Bytes that stand in data memory instead of the usual ones.
    struct Patch {
        var address: UInt64
        var bytes: [UInt8]
    }

    let number: UInt64
    /// The whole instruction, also where its end lies on no page.
    var bytes: [UInt8]
    var state = MachineState()
    var patches: [Patch] = []
    /// Status flags whose value after the instruction nobody defines.
    var undefinedFlags: UInt64 = 0
    var name = ""
    var isBranch = false
    /// A string instruction, which counts one for each iteration.
    var isString = false

    var next: UInt64 { state.rip &+ UInt64(bytes.count) }
    /// Whether the oracle's exit stands behind the instruction.
    var hasExit: Bool {
        !isBranch && next + UInt64(ORACLE_EXIT_SIZE) <= FuzzLayout.code.upperBound
    }
}

/// The registers that an instruction changes, in the form of the oracle.
struct MachineState: Equatable {
    var registers = InlineArray<16, UInt64>(repeating: 0)
    var rip: UInt64 = 0
    var flags: UInt64 = 0x202
    /// The first 416 bytes of FXSAVE64's area.
    var area = InlineArray<52, UInt64>(repeating: 0)

    static func == (left: MachineState, right: MachineState) -> Bool {
        left.rip == right.rip && left.flags == right.flags
            && left.registers.indices.allSatisfy { left.registers[$0] == right.registers[$0] }
            && left.area.indices.allSatisfy { left.area[$0] == right.area[$0] }
    }
}

/// The exception that an instruction raised.
struct MachineFault: Equatable {
    var vector: Int
    var errorCode: UInt64 = 0
    /// CR2, for #PF.
    var address: UInt64 = 0
}

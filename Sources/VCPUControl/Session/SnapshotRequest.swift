/// What a screen looks at besides the place where the vCPU stands.
package struct SnapshotRequest: Sendable, Equatable {
    /// Where the code is looked at; `nil` is RIP.
    package var code: GuestVirtualAddress?
    /// What is looked at in memory; `nil` where no memory is shown.
    package var memory: MemoryRequest?

    package init(code: GuestVirtualAddress? = nil, memory: MemoryRequest? = nil) {
        (self.code, self.memory) = (code, memory)
    }
}

/// A window into the memory that a vCPU sees.
package struct MemoryRequest: Sendable, Equatable {
    /// What the window is about, as `x` takes it; evaluated anew at each stop.
    package var expression: String
    /// Where the window stays, whatever becomes of the expression; `nil` follows it.
    package var start: GuestVirtualAddress?
    /// 8 or 16: a row lies in one page.
    package var bytesPerRow: Int
    package var rows: Int

    package init(
        _ expression: String, start: GuestVirtualAddress? = nil, bytesPerRow: Int, rows: Int
    ) {
        (self.expression, self.start) = (expression, start)
        (self.bytesPerRow, self.rows) = (bytesPerRow, rows)
    }

    /// The first address of the window when the expression leads to `target`.
    ///
    /// Where the target moves, the window moves in blocks of half its size: a stack pointer that
    /// comes and goes leaves it alone, and always has as much above it.
    func start(at target: GuestVirtualAddress, isConstant: Bool) -> GuestVirtualAddress {
        let row = UInt64(max(1, bytesPerRow))
        var block = row
        while !isConstant, block * 4 <= row * UInt64(max(0, rows)) { block *= 2 }
        return GuestVirtualAddress(target.rawValue & ~(block - 1))
    }
}

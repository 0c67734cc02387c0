package import VCPUControl

/// What differs from the stop before, for each vCPU: registers, and the memory that was looked at.
package struct Changes: Sendable, Equatable {
    private struct Values: Sendable, Equatable {
        var registers: RegisterFile?
        var system: SystemRegisters?
        /// Memory in pieces of eight bytes, of which every row is made.
        var memory: [GuestVirtualAddress: ArraySlice<UInt8>] = [:]

        mutating func take(_ row: Snapshot.Memory.Row) {
            let bytes = row.bytes.value ?? []
            for (address, piece) in Changes.pieces(of: bytes, at: row.address) {
                memory[address] = piece
            }
        }
    }

    /// More is forgotten: who scrolls so far is not looking for a change.
    private static let mostPieces = 4096

    /// By vCPU: at the stop before the last, and as last seen.
    private var before: [Int: Values] = [:]
    private var seen: [Int: Values] = [:]
    /// Whether the guest has run since the last snapshot.
    private var hasRun = false

    package init() {}

    /// Notes that the values of the next snapshot belong to a new stop.
    package mutating func guestRan() { hasRun = true }

    package mutating func take(_ snapshot: Snapshot) {
        if hasRun {
            before = seen
            for vcpu in seen.keys { seen[vcpu]?.memory = [:] }
        }
        hasRun = false
        var values = seen[snapshot.current] ?? Values()
        (values.registers, values.system) = (snapshot.registers.value, snapshot.system.value)
        if values.memory.count > Self.mostPieces { values.memory = [:] }
        for row in snapshot.memory?.rows ?? [] { values.take(row) }
        seen[snapshot.current] = values
    }

    /// The registers of a vCPU at the stop before; `nil` where they were not seen.
    package func registers(of vcpu: Int) -> RegisterFile? { before[vcpu]?.registers }
    package func system(of vcpu: Int) -> SystemRegisters? { before[vcpu]?.system }

    /// Which bytes of a row differ from what the vCPU saw there at the stop before; none where
    /// nobody looked.
    package func changes(
        of bytes: [UInt8], at address: GuestVirtualAddress, vcpu: Int
    ) -> [Bool] {
        let memory = before[vcpu]?.memory ?? [:]
        return Self.pieces(of: bytes, at: address).flatMap { address, piece in
            zip(piece, memory[address] ?? piece).map { $0 != $1 }
        }
    }

    private static func pieces(
        of bytes: [UInt8], at address: GuestVirtualAddress
    ) -> [(GuestVirtualAddress, ArraySlice<UInt8>)] {
        stride(from: 0, to: bytes.count, by: 8).map { offset in
            let place = GuestVirtualAddress(address.rawValue &+ UInt64(offset))
            return (place, bytes[offset..<min(offset + 8, bytes.count)])
        }
    }
}

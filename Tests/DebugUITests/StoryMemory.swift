@testable import DebugUI
@testable import VCPUControl

/// The memory of the story's guest: a stack at `$rsp`, a shared page above it, nothing above that.
enum StoryMemory {
    /// What a session answers to `Effect.look`.
    static func answer(_ request: SnapshotRequest, _ snapshot: Snapshot) -> Snapshot {
        var snapshot = snapshot
        snapshot.request = request
        snapshot.memory = request.memory.map { memory($0, snapshot) }
        return snapshot
    }

    static func locate(_ text: String) -> Result<GuestVirtualAddress, CommandFailure> {
        if text == "$rsp" { return .success(.init(0x100_2ff8)) }
        guard text.hasPrefix("0x"), let number = UInt64(text.dropFirst(2), radix: 16) else {
            return .failure(CommandFailure("there is no symbol \(text) in the guest"))
        }
        return .success(.init(number))
    }

    private static func memory(
        _ request: MemoryRequest, _ snapshot: Snapshot
    ) -> Snapshot.Memory {
        let isHidden = snapshot.registers.value == nil
        let target =
            isHidden && request.expression == "$rsp"
            ? .failure(CommandFailure("$rsp of vCPU 0 cannot be had: SEV-ES protects it"))
            : locate(request.expression)
        guard
            let start = request.start
                ?? (try? target.get()).map({ request.start(at: $0, isConstant: false) })
        else { return Snapshot.Memory(target: target, rows: []) }
        let rip = snapshot.vcpus[0].rip.value?.rawValue ?? 0
        let rows = (0..<request.rows).map { index in
            let address = start.rawValue &+ UInt64(index * request.bytesPerRow)
            return row(address, count: request.bytesPerRow, rip, isHidden: isHidden)
        }
        return Snapshot.Memory(target: target, rows: rows)
    }

    private static func row(
        _ address: UInt64, count: Int, _ rip: UInt64, isHidden: Bool
    ) -> Snapshot.Memory.Row {
        let bytes = (0..<UInt64(count)).map { byte(at: address &+ $0, rip) }
        return switch address {
        case 0..<0x100_3000 where isHidden:
            .init(address: .init(address), bytes: .hidden(.protected), use: .unknown)
        case 0..<0x100_3000:
            .init(address: .init(address), bytes: .known(bytes, from: .direct), use: .private)
        case 0x100_3000..<0x100_4000:
            .init(address: .init(address), bytes: .known(bytes, from: .direct), use: .shared)
        default: .init(address: .init(address), bytes: .hidden(.unmapped), use: .unmapped)
        }
    }

    /// Text above, numbers below, and the RIP of the last stop at `$rsp`.
    private static func byte(at address: UInt64, _ rip: UInt64) -> UInt8 {
        switch address {
        case 0x100_2ff8..<0x100_3000:
            UInt8(truncatingIfNeeded: rip >> (8 * (address - 0x100_2ff8)))
        case 0x100_3000..<0x100_3040:
            UInt8(truncatingIfNeeded: 0x20 + address & 0x3f)
        default: UInt8(truncatingIfNeeded: address)
        }
    }
}

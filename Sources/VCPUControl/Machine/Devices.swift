/// What lies behind the ports and MMIO addresses of a VM (DESIGN 3, guest contract).
///
/// A serial console at port 0x3f8 and at 0xfe000000, the selftests' ucall at port 0x1000, and
/// nothing else: reads give all ones, writes are dropped.
package struct Devices: Sendable {
    /// What an access asks of the session.
    package enum Effect: Sendable, Equatable {
        case console([UInt8])
        /// The guest passes the address of a `struct ucall`.
        case ucall(UInt64)
    }

    /// What the guest gets, and what else there is to do.
    package struct Answer: Sendable, Equatable {
        /// As many bytes as an input asks for; empty for output.
        package var data: [UInt8] = []
        package var effect: Effect?
    }

    package static let serialPort: UInt64 = 0x3f8
    package static let ucallPort: UInt16 = 0x1000
    package static let serialMemory: UInt64 = 0xfe00_0000

    /// Distance from the transmit register of an 8250 to its line status register.
    private static let lineStatus: UInt64 = 5
    /// Transmitter empty, and holding register empty.
    private static let transmitterReady: UInt8 = 0x60

    package init() {}

    /// Answers an access to I/O ports; the corresponding exit is `KVM_EXIT_IO`.
    package func answer(_ access: PortAccess) -> Answer {
        let units = max(access.count, 0)
        let size = max(access.size, 1)
        guard !access.isInput else {
            let unit = (0..<size).map { Self.portByte(UInt64(access.port) + UInt64($0)) }
            return Answer(data: (0..<units).flatMap { _ in unit })
        }
        if access.port == Self.ucallPort {
            return Answer(effect: Self.pointer(access.data).map(Effect.ucall))
        }
        return Answer(effect: Self.console(access.data, unit: size, at: UInt64(access.port)))
    }

    /// Answers an access to memory where no RAM is; the corresponding exit is `KVM_EXIT_MMIO`.
    package func answer(_ access: MMIOAccess) -> Answer {
        guard access.isRead else {
            guard access.address.rawValue == Self.serialMemory, access.data.count == 1 else {
                return Answer()
            }
            return Answer(effect: .console(access.data))
        }
        let bytes = 0..<UInt64(max(access.length, 0))
        return Answer(data: bytes.map { Self.memoryByte(access.address.rawValue &+ $0) })
    }

    private static func portByte(_ port: UInt64) -> UInt8 {
        switch port {
        case serialPort: 0
        case serialPort + lineStatus: transmitterReady
        default: 0xff
        }
    }

    private static func memoryByte(_ address: UInt64) -> UInt8 {
        address == serialMemory + lineStatus ? transmitterReady : 0xff
    }

    /// The bytes of an output that reach the transmit register: one of each unit.
    private static func console(_ data: [UInt8], unit: Int, at port: UInt64) -> Effect? {
        guard port <= serialPort, port + UInt64(unit) > serialPort else { return nil }
        let first = Int(serialPort - port)
        return .console(stride(from: first, to: data.count, by: unit).map { data[$0] })
    }

    private static func pointer(_ data: [UInt8]) -> UInt64? {
        data.count == 8 ? UInt64(littleEndian: data) : nil
    }
}

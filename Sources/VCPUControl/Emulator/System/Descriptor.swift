/// An 8-byte entry of the GDT or LDT, or the lower half of a 16-byte one (APM volume 2, 4.7, 4.8).
struct Descriptor {
    var raw: UInt64

    /// The attributes in the form of the VMSA (REFERENCE 9).
    var attributes: UInt16 { UInt16(raw >> 40 & 0xff | raw >> 44 & 0xf00) }
    var type: UInt8 { UInt8(raw >> 40 & 0xf) }
    /// Whether it describes code or data, not a system structure.
    var isSegment: Bool { raw >> 44 & 1 != 0 }
    var isCode: Bool { isSegment && type & 8 != 0 }
    var isConforming: Bool { isCode && type & 4 != 0 }
    var isReadable: Bool { isSegment && (type & 8 == 0 || type & 2 != 0) }
    var isWritableData: Bool { isSegment && type & 0xa == 2 }
    var level: UInt8 { UInt8(raw >> 45 & 3) }
    var isPresent: Bool { raw >> 47 & 1 != 0 }
    /// Whether code runs in 64-bit mode.
    var isLong: Bool { raw >> 53 & 1 != 0 }
    var isDefault32: Bool { raw >> 54 & 1 != 0 }
    /// The lower 32 bits of the base.
    var base: UInt64 { raw >> 16 & 0xff_ffff | raw >> 32 & 0xff00_0000 }

    /// The limit in bytes.
    var limit: UInt32 {
        let pages = UInt32(raw & 0xffff | raw >> 32 & 0xf_0000)
        return raw >> 55 & 1 == 0 ? pages : pages << 12 | 0xfff
    }

    /// The types of system descriptors in long mode.
    enum SystemType {
        static let ldt: UInt8 = 2
        static let availableTSS: UInt8 = 9
        static let busyTSS: UInt8 = 11
        static let callGate: UInt8 = 12
        static let interruptGate: UInt8 = 14
        static let trapGate: UInt8 = 15
    }

    /// The segment that a selector of this descriptor loads.
    func segment(_ selector: UInt16) -> Segment {
        Segment(selector: selector, attributes: attributes, limit: limit, base: base)
    }
}

/// Reading and marking descriptors: accesses of the system, whatever the privilege level.
extension EmulatedVCPU {
    /// Reads a structure of the system.
    mutating func loadSystem(_ linear: UInt64, size: Int = 8) throws(Fault) -> UInt64 {
        try missLoad(linear, size, .ds, .system)
    }

    /// Whether a selector names no descriptor.
    static func isNull(_ selector: UInt16) -> Bool { selector & 0xfffc == 0 }

    /// The error code that names a selector.
    static func code(_ selector: UInt16, external: UInt64 = 0) -> UInt64 {
        UInt64(selector & 0xfffc) | external
    }

    /// Where a descriptor of `size` bytes lies; `nil` outside its table.
    func descriptorAddress(_ selector: UInt16, size: UInt64 = 8) -> UInt64? {
        let offset = UInt64(selector & 0xfff8)
        guard selector & 4 != 0 else {
            return offset + size - 1 <= UInt64(system.gdtr.limit) ? system.gdtr.base &+ offset : nil
        }
        guard system.ldtr.attributes & 0x80 != 0, offset + size - 1 <= UInt64(system.ldtr.limit)
        else { return nil }
        return system.ldtr.base &+ offset
    }

    /// Reads the descriptor of a selector that is not null; #GP(selector) outside its table.
    mutating func descriptor(
        _ selector: UInt16, external: UInt64 = 0
    ) throws(Fault) -> Descriptor {
        guard let address = descriptorAddress(selector) else {
            throw .generalProtection(Self.code(selector, external: external))
        }
        return Descriptor(raw: try loadSystem(address))
    }

    /// Reads a 16-byte descriptor; the base has 64 bits.
    mutating func systemDescriptor(
        _ selector: UInt16
    ) throws(Fault) -> (lower: Descriptor, base: UInt64) {
        guard let address = descriptorAddress(selector, size: 16) else {
            throw .generalProtection(Self.code(selector))
        }
        let lower = Descriptor(raw: try loadSystem(address))
        let upper = try loadSystem(address &+ 8)
        // The type field of the upper half must be zero (APM volume 2, 4.8.3).
        guard upper & 0x1f00_0000_0000 == 0 else {
            throw .generalProtection(Self.code(selector))
        }
        return (lower, lower.base | upper << 32)
    }

    /// Sets bits of a descriptor in memory: accessed, or busy.
    mutating func mark(
        _ selector: UInt16, _ descriptor: inout Descriptor, bits: UInt64
    ) throws(Fault) {
        guard descriptor.raw & bits != bits, let address = descriptorAddress(selector) else {
            return
        }
        descriptor.raw |= bits
        try missStore(descriptor.raw, address, 8, .ds, .system)
    }

    /// Sets the accessed bit of a code or data descriptor.
    mutating func markAccessed(
        _ selector: UInt16, _ descriptor: inout Descriptor
    ) throws(Fault) {
        try mark(selector, &descriptor, bits: 1 << 40)
    }
}

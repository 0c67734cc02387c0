@testable import VCPUControl

/// The bytes of a record, field by field.
struct RecordBytes {
    var bytes: [UInt8] = []

    init(_ words: UInt32...) { for word in words { add(word) } }

    mutating func add(_ word: UInt32) { bytes += UInt64(word).littleEndianBytes(4) }
    mutating func add(_ words: UInt64...) {
        for word in words { bytes += word.littleEndianBytes(8) }
    }

    /// One side of a VMGEXIT.
    static func side(
        _ kind: UInt32, vcpu: UInt32 = 0, thread: UInt32 = 100, msr: UInt64,
        registers: [UInt64]? = nil, page: GHCBPage? = nil
    ) -> [UInt8] {
        var record = RecordBytes(kind, vcpu, thread, registers == nil ? 0 : 1)
        record.add(msr)
        for register in registers ?? [0, 0, 0, 0] { record.add(register) }
        return record.bytes + (page?.bytes ?? [])
    }

    static let pageRequest: UInt32 = 16
    static let pageResponse: UInt32 = 17
    static let msrRequest: UInt32 = 18
    static let msrResponse: UInt32 = 19
}

/// Loads and stores of the guest: the hit is inlined, the rest is in `MemoryMiss.swift`.
///
/// An access hits when the page of its *last* byte is the tag of the entry for its *first* byte:
/// one comparison finds page, permission and an access that crosses pages. Addresses are linear,
/// with the segment base added; the segment decides between #SS and #GP only.
///
/// Unsafe: a hit is a host load or store at the address that the TLB gives.
extension EmulatedVCPU {
    /// Loads little-endian; #PF, #GP, #SS or #VC.
    @inline(__always)
    mutating func load<T: FixedWidthInteger & UnsignedInteger>(
        _ type: T.Type, at linear: UInt64, _ segment: SegmentName
    ) throws(Fault) -> T {
        let last = linear &+ UInt64(MemoryLayout<T>.size &- 1)
        let entry = unsafe memory.entry(for: linear)
        if unsafe entry.pointee.readTag == last & ~0xfff {
            return unsafe entry.pointee.host(linear).loadUnaligned(as: T.self)
        }
        return T(truncatingIfNeeded: try missLoad(linear, MemoryLayout<T>.size, segment))
    }

    /// Loads what is about to be stored to: demands permission to write (#PF with W).
    @inline(__always)
    mutating func loadForUpdate<T: FixedWidthInteger & UnsignedInteger>(
        _ type: T.Type, at linear: UInt64, _ segment: SegmentName
    ) throws(Fault) -> T {
        let last = linear &+ UInt64(MemoryLayout<T>.size &- 1)
        let entry = unsafe memory.entry(for: linear)
        if unsafe entry.pointee.writeTag == last & ~0xfff {
            return unsafe entry.pointee.host(linear).loadUnaligned(as: T.self)
        }
        return T(truncatingIfNeeded: try missLoadForUpdate(linear, MemoryLayout<T>.size, segment))
    }

    /// Stores little-endian; #PF, #GP, #SS or #VC with no byte written.
    @inline(__always)
    mutating func store<T: FixedWidthInteger & UnsignedInteger>(
        _ value: T, at linear: UInt64, _ segment: SegmentName
    ) throws(Fault) {
        let last = linear &+ UInt64(MemoryLayout<T>.size &- 1)
        let entry = unsafe memory.entry(for: linear)
        if unsafe entry.pointee.writeTag == last & ~0xfff {
            unsafe entry.pointee.host(linear).storeBytes(of: value, as: T.self)
            return
        }
        try missStore(UInt64(truncatingIfNeeded: value), linear, MemoryLayout<T>.size, segment)
    }

    /// Loads 16 bytes; #GP where `aligned` demands an address that is a multiple of 16.
    @inline(__always)
    mutating func load128(
        at linear: UInt64, _ segment: SegmentName, aligned: Bool
    ) throws(Fault) -> SIMD2<UInt64> {
        if aligned, linear & 15 != 0 { throw .generalProtection() }
        let entry = unsafe memory.entry(for: linear)
        if unsafe entry.pointee.readTag == (linear &+ 15) & ~0xfff {
            return unsafe entry.pointee.host(linear).loadUnaligned(as: SIMD2<UInt64>.self)
        }
        return try missLoad128(linear, segment)
    }

    /// Stores 16 bytes; #GP where `aligned` demands an address that is a multiple of 16.
    @inline(__always)
    mutating func store128(
        _ value: SIMD2<UInt64>, at linear: UInt64, _ segment: SegmentName, aligned: Bool
    ) throws(Fault) {
        if aligned, linear & 15 != 0 { throw .generalProtection() }
        let entry = unsafe memory.entry(for: linear)
        if unsafe entry.pointee.writeTag == (linear &+ 15) & ~0xfff {
            unsafe entry.pointee.host(linear).storeBytes(of: value, as: SIMD2<UInt64>.self)
            return
        }
        try missStore128(value, linear, segment)
    }

    /// Raises what a store of `count` bytes would, and writes nothing.
    mutating func checkWritable(
        _ linear: UInt64, count: Int, _ segment: SegmentName
    ) throws(Fault) {
        try check(linear, count: count, .write, segment)
    }
}

extension TranslationBuffer.Entry {
    /// The host address of a byte of the entry's page.
    @inline(__always)
    func host(_ linear: UInt64) -> UnsafeMutableRawPointer {
        // Never null: the entry was filled with an address inside the block of RAM.
        unsafe UnsafeMutableRawPointer(bitPattern: UInt(linear &+ addend)).unsafelyUnwrapped
    }
}

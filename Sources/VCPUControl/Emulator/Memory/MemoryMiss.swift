/// What an access is for.
enum Access {
    case read, write, fetch
}

/// On whose behalf an access is made.
enum Privilege {
    /// The instruction's, at the current level.
    case current
    /// A read or write of a system structure: a supervisor's at every level, always under SMAP.
    case system
}

/// A place in guest physical memory that an access is allowed to touch.
private struct Place {
    var linear: UInt64
    var page: Int
    var mapping: PageWalk.Mapping
    /// Whether a store needs no further check; then the TLB may let it pass.
    var storesAllowed: Bool
    /// Whether the TLB may keep the translation.
    var isCacheable: Bool
}

/// Accesses that miss the TLB: translation with all checks, A and D bits, private and shared form.
///
/// Unsafe: copies bytes between a value and the block of RAM, within a page that was checked.
extension EmulatedVCPU {
    @inline(never)
    mutating func missLoad(
        _ linear: UInt64, _ size: Int, _ segment: SegmentName, _ privilege: Privilege = .current
    ) throws(Fault) -> UInt64 {
        try transferIn(linear, size, segment, .read, privilege)
    }

    @inline(never)
    mutating func missLoadForUpdate(
        _ linear: UInt64, _ size: Int, _ segment: SegmentName
    ) throws(Fault) -> UInt64 {
        let entry = unsafe memory.entry(for: linear)
        let last = linear &+ UInt64(size - 1)
        if unsafe entry.pointee.heardTag == last & ~0xfff {
            return unsafe Self.readBytes(entry.pointee.host(linear), size)
        }
        return try transferIn(linear, size, segment, .write, .current)
    }

    @inline(never)
    mutating func missLoad128(
        _ linear: UInt64, _ segment: SegmentName
    ) throws(Fault) -> SIMD2<UInt64> {
        try check(linear, count: 16, .read, segment)
        let low = try transferIn(linear, 8, segment, .read, .current)
        return SIMD2(low, try transferIn(linear &+ 8, 8, segment, .read, .current))
    }

    @inline(never)
    mutating func missStore128(
        _ value: SIMD2<UInt64>, _ linear: UInt64, _ segment: SegmentName
    ) throws(Fault) {
        try check(linear, count: 16, .write, segment)
        try missStore(value[0], linear, 8, segment)
        try missStore(value[1], linear &+ 8, 8, segment)
    }

    @inline(never)
    mutating func missStore(
        _ value: UInt64, _ linear: UInt64, _ size: Int, _ segment: SegmentName,
        _ privilege: Privilege = .current
    ) throws(Fault) {
        let entry = unsafe memory.entry(for: linear)
        let last = linear &+ UInt64(size - 1)
        if privilege == .current, unsafe entry.pointee.heardTag == last & ~0xfff {
            return unsafe storeHeard(value, entry, linear, size)
        }
        let first = try locate(linear, size, segment, .write, privilege)
        guard (linear ^ last) & ~0xfff != 0 else {
            return put(value, size, first, offset: Int(linear & 0xfff))
        }
        let second = try locate(last & ~0xfff, 1, segment, .write, privilege)
        let split = 0x1000 - Int(linear & 0xfff)
        put(value, split, first, offset: 0x1000 - split)
        put(value >> UInt64(split * 8), size - split, second, offset: 0)
    }

    /// Raises what an access to these bytes would, and changes nothing.
    mutating func check(
        _ linear: UInt64, count: Int, _ access: Access, _ segment: SegmentName,
        _ privilege: Privilege = .current
    ) throws(Fault) {
        try Self.checkCanonical(linear, count, segment)
        var position = linear
        var rest = count
        while rest > 0 {
            let part = min(rest, 0x1000 - Int(position & 0xfff))
            _ = try locate(position, 1, segment, access, privilege)
            position &+= UInt64(part)
            rest -= part
        }
    }

    /// The number of the physical page that holds the code at this address (GPA >> 12).
    ///
    /// Instruction fetch is always private, whatever the C-bit says (REFERENCE 8b); the page is
    /// left in its private form. #GP, #PF, or #VC(0x400) where no RAM is.
    @inline(never)
    mutating func fetchPage(_ linear: UInt64) throws(Fault) -> Int {
        let place = try locate(linear, 1, .cs, .fetch, .current)
        walk().markUsed(place.mapping, dirty: false)
        memory.use(page: place.page, asPrivate: true)
        memory.noteTouch()
        return place.page
    }

    /// The guest's page tables as they are now.
    mutating func walk() -> PageWalk {
        PageWalk(
            guest: memory.guest, root: system.cr3,
            noExecuteEnabled: system.efer & Efer.noExecuteEnable != 0)
    }

    /// Whether the upper bits of an address are copies of bit 47.
    @inline(__always)
    static func isCanonical(_ address: UInt64) -> Bool {
        UInt64(bitPattern: Int64(bitPattern: address << 16) >> 16) == address
    }

    private static func checkCanonical(
        _ linear: UInt64, _ size: Int, _ segment: SegmentName
    ) throws(Fault) {
        guard isCanonical(linear), isCanonical(linear &+ UInt64(size - 1)) else {
            throw segment == .ss ? .stack() : .generalProtection()
        }
    }

    private mutating func transferIn(
        _ linear: UInt64, _ size: Int, _ segment: SegmentName, _ access: Access,
        _ privilege: Privilege
    ) throws(Fault) -> UInt64 {
        let last = linear &+ UInt64(size - 1)
        let first = try locate(linear, size, segment, access, privilege)
        guard (linear ^ last) & ~0xfff != 0 else {
            return get(size, first, offset: Int(linear & 0xfff), access)
        }
        let second = try locate(last & ~0xfff, 1, segment, access, privilege)
        let split = 0x1000 - Int(linear & 0xfff)
        let low = get(split, first, offset: 0x1000 - split, access)
        return low | get(size - split, second, offset: 0, access) << UInt64(split * 8)
    }

    /// Finds the page of an access with all checks of `size` bytes, and changes nothing.
    private mutating func locate(
        _ linear: UInt64, _ size: Int, _ segment: SegmentName, _ access: Access,
        _ privilege: Privilege
    ) throws(Fault) -> Place {
        try Self.checkCanonical(linear, size, segment)
        let user = memory.isUser && privilege == .current
        let mapping = try mapping(linear, access, user: user, privilege)
        let number = mapping.address >> 12
        guard number < UInt64(memory.guest.pageCount) else {
            throw .vmmCommunication(InterceptCode.nestedPageFault)
        }
        let checksAlignment = user && access != .fetch && demandsAlignment()
        if checksAlignment, linear & UInt64(size - 1) != 0 {
            throw .vmmCommunication(InterceptCode.exception(17))
        }
        let writable = mapping.isWritable || !user && system.cr0 & CR0.writeProtect == 0
        let underSMAP = !user && mapping.isUser && system.cr4 & CR4.smap != 0
        return Place(
            linear: linear, page: Int(number), mapping: mapping,
            storesAllowed: writable && (mapping.isDirty || access == .write),
            isCacheable: user == memory.isUser && !underSMAP && !checksAlignment)
    }

    /// Whether the processor demands aligned data (CR0.AM, RFLAGS.AC; only at CPL 3).
    private mutating func demandsAlignment() -> Bool {
        system.cr0 & CR0.alignmentMask != 0 && flags.value & FlagBits.alignmentCheck != 0
    }

    /// Walks the tables and checks permissions: #PF with its exact error code (APM 8.2.15).
    private mutating func mapping(
        _ linear: UInt64, _ access: Access, user: Bool, _ privilege: Privilege
    ) throws(Fault) -> PageWalk.Mapping {
        var code: UInt64 = access == .write ? 2 : 0
        if user { code |= 4 }
        let reportsFetch =
            system.efer & Efer.noExecuteEnable != 0 || system.cr4 & CR4.smep != 0
        if access == .fetch, reportsFetch { code |= 16 }
        switch walk().resolve(linear) {
        case .notPresent: throw .pageFault(linear, code)
        case .reservedBits: throw .pageFault(linear, code | 9)
        case .mapped(let mapping):
            guard isAllowed(mapping, access, user: user, privilege) else {
                throw .pageFault(linear, code | 1)
            }
            return mapping
        }
    }

    /// The permissions of APM volume 2, 5.6.
    private mutating func isAllowed(
        _ mapping: PageWalk.Mapping, _ access: Access, user: Bool, _ privilege: Privilege
    ) -> Bool {
        if user, !mapping.isUser { return false }
        if access == .fetch {
            let smep = !user && mapping.isUser && system.cr4 & CR4.smep != 0
            return !mapping.isNoExecute && !smep
        }
        if !user, mapping.isUser, system.cr4 & CR4.smap != 0 {
            let permitted = flags.value & FlagBits.alignmentCheck != 0
            guard permitted, privilege == .current else { return false }
        }
        guard access == .write, !mapping.isWritable else { return true }
        return !user && system.cr0 & CR0.writeProtect == 0
    }

    /// Brings a page that was found into use: A and D bits, its form, the TLB.
    private mutating func touch(_ place: Place, _ access: Access) -> UnsafeMutableRawPointer {
        walk().markUsed(place.mapping, dirty: access == .write)
        memory.use(page: place.page, asPrivate: place.mapping.isPrivate)
        memory.noteTouch()
        if place.isCacheable,
            unsafe !memory.guest.states[place.page].contains(.hasUnreadResponse)
        {
            memory.fill(place.linear, page: place.page, writable: place.storesAllowed)
        }
        return unsafe memory.guest.base + place.page << 12
    }

    private mutating func get(
        _ size: Int, _ place: Place, offset: Int, _ access: Access
    ) -> UInt64 {
        let page = unsafe touch(place, access)
        noteLoad(page: place.page, offset..<offset + size)
        return unsafe Self.readBytes(page + offset, size)
    }

    /// Notes that the guest has looked at SW_EXITINFO1 of an answer, whose low half it is.
    private mutating func noteLoad(page: Int, _ bytes: Range<Int>) {
        guard unsafe memory.guest.states[page].contains(.hasUnreadResponse),
            bytes.overlaps(GHCBField.swExitInfo1.range.prefix(4)),
            let reader = memory.guest.forgetResponse(inPage: page)
        else { return }
        events.watch(.responseRead(vcpu: reader))
    }

    private mutating func put(_ value: UInt64, _ size: Int, _ place: Place, offset: Int) {
        let page = unsafe touch(place, .write)
        unsafe Self.writeBytes(value, page + offset, size)
        memory.guest.changed(page: place.page, offset: offset, count: size)
        memory.noteTouch()
    }

    /// A store whose translation is known, to a page where somebody has to hear of it.
    private mutating func storeHeard(
        _ value: UInt64, _ entry: UnsafeMutablePointer<TranslationBuffer.Entry>,
        _ linear: UInt64, _ size: Int
    ) {
        let host = unsafe entry.pointee.host(linear)
        unsafe Self.writeBytes(value, host, size)
        let address = unsafe host - memory.guest.base
        let page = address >> 12
        memory.guest.changed(page: page, offset: address & 0xfff, count: size)
        memory.noteTouch()
        if unsafe !memory.guest.states[page].hearsStores {
            unsafe entry.pointee.writeTag = entry.pointee.heardTag
            unsafe entry.pointee.heardTag = TranslationBuffer.Entry.none
        }
    }

    private static func readBytes(_ host: UnsafeMutableRawPointer, _ size: Int) -> UInt64 {
        if size == 8 { return unsafe host.loadUnaligned(as: UInt64.self) }
        var value: UInt64 = 0
        for index in 0..<size {
            let byte = unsafe host.load(fromByteOffset: index, as: UInt8.self)
            value |= UInt64(byte) << UInt64(index * 8)
        }
        return value
    }

    private static func writeBytes(_ value: UInt64, _ host: UnsafeMutableRawPointer, _ size: Int) {
        for index in 0..<size {
            let byte = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
            unsafe host.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
    }
}

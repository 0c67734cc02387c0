extension ELFFile {
    /// The entries of the dynamic section that a static guest may have, by tag.
    private struct DynamicTable {
        var rela, relaSize: UInt64?
        /// What is there that only a dynamic linker can do.
        var unsupported: String?

        mutating func add(tag: UInt64, value: UInt64) {
            switch tag {
            case 1: unsupported = "needs shared libraries"
            case 2 where value > 0: unsupported = "has relocations for a procedure linkage table"
            case 17: unsupported = "has relocations without addends"
            case 36: unsupported = "has packed relocations"
            case 7: rela = value
            case 8: relaSize = value
            default: break
            }
        }
    }

    private static let relative: UInt32 = 8

    /// Applies the relocations of a static-pie guest that is loaded at `base`.
    func relocate(_ segments: inout [GuestImage.Segment], base: UInt64) throws(ELFError) {
        let table = try dynamicTable()
        if let text = table.unsupported {
            throw .unsupported(
                "\(text): link the guest with -static -z nopack-relative-relocs, without libraries")
        }
        guard let rela = table.rela, let size = table.relaSize else { return }
        guard size <= bytes.count else {
            throw .damaged("its relocations are larger than the file")
        }
        for index in 0..<size / 24 {
            let entry = base &+ rela &+ index &* 24
            guard let offset = Self.load(entry, in: segments),
                let info = Self.load(entry &+ 8, in: segments),
                let addend = Self.load(entry &+ 16, in: segments)
            else { throw .damaged("its relocations lie outside its segments") }
            switch UInt32(truncatingIfNeeded: info) {
            case 0: continue
            case Self.relative: try Self.store(base &+ addend, at: base &+ offset, in: &segments)
            case let type:
                throw .unsupported(
                    "has a relocation of type \(type): a guest has no dynamic linker, so link it "
                        + "with -static, or without -pie")
            }
        }
    }

    private func dynamicTable() throws(ELFError) -> DynamicTable {
        var table = DynamicTable()
        guard let header = programHeaders.first(where: { $0.type == ProgramHeader.dynamic }) else {
            return table
        }
        for index in 0..<header.fileSize / 16 {
            let offset = header.offset &+ index &* 16
            guard let tag = bytes.load(UInt64.self, at: offset),
                let value = bytes.load(UInt64.self, at: offset &+ 8)
            else { throw .truncated("dynamic section") }
            if tag == 0 { break }
            table.add(tag: tag, value: value)
        }
        return table
    }

    /// The segment, by index, whose bytes of the file cover the eight at an address.
    private static func segment(
        with address: UInt64, in segments: [GuestImage.Segment]
    ) -> (index: Int, offset: Int)? {
        var (low, high) = (0, segments.count)
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].address.rawValue <= address {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low > 0 else { return nil }
        let segment = segments[low - 1]
        let offset = address - segment.address.rawValue
        guard segment.bytes.count >= 8, offset <= UInt64(segment.bytes.count - 8) else {
            return nil
        }
        return (low - 1, Int(offset))
    }

    private static func load(_ address: UInt64, in segments: [GuestImage.Segment]) -> UInt64? {
        segment(with: address, in: segments).map {
            UInt64(littleEndianBytes: segments[$0.index].bytes[$0.offset..<$0.offset + 8])
        }
    }

    private static func store(
        _ value: UInt64, at address: UInt64, in segments: inout [GuestImage.Segment]
    ) throws(ELFError) {
        guard let (index, offset) = segment(with: address, in: segments) else {
            throw .damaged("a relocation changes \(address.hexadecimal), which is in no segment")
        }
        segments[index].bytes.replaceSubrange(offset..<offset + 8, with: value.littleEndianBytes)
    }
}

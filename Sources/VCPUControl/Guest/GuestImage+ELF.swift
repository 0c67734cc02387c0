extension GuestImage {
    /// Reads an ELF64 executable for x86-64: static, of type ET_EXEC or static-pie.
    ///
    /// Segments lie at their virtual address, which is also their physical one: `p_paddr` is
    /// ignored, since linkers set it to whatever their script says. A static-pie whose addresses
    /// start at 0 is moved to `flatAddress`.
    package init(elf bytes: [UInt8], name: String) throws(GuestError) {
        do throws(ELFError) {
            try self.init(ELFFile(bytes), name: name)
        } catch {
            throw .unusableFile("\(name) \(error.sentence)")
        }
    }

    private init(_ file: ELFFile, name: String) throws(ELFError) {
        guard !file.programHeaders.contains(where: { $0.type == ELFFile.ProgramHeader.interpreter })
        else {
            throw .unsupported("is dynamically linked: link the guest with -static")
        }
        let headers = file.programHeaders.filter {
            $0.type == ELFFile.ProgramHeader.load && $0.memorySize > 0
        }.sorted { $0.address < $1.address }
        guard let lowest = headers.first?.address else {
            throw .unsupported("has no segment to load: link it")
        }
        let isMoved = file.isPositionIndependent && lowest.roundedDownToPage == 0
        let base = isMoved ? Self.flatAddress : 0
        var segments = try Self.segments(headers, of: file, base: base)
        if file.isPositionIndependent { try file.relocate(&segments, base: base) }
        let entry = file.entry &+ base
        guard segments.contains(where: { $0.range.contains(entry) }) else {
            throw .unsupported(
                "is entered at \(entry.hexadecimal), where it has no segment: name its entry "
                    + "(ld.lld -e guest_code)")
        }
        self.init(
            name: name, entry: .init(entry), segments: segments,
            shared: try Self.sharedRanges(of: file, base: base, segments: segments),
            symbols: SymbolTable(try file.symbols(base: base)))
    }

    /// The segments of headers that are in order of address.
    private static func segments(
        _ headers: [ELFFile.ProgramHeader], of file: ELFFile, base: UInt64
    ) throws(ELFError) -> [Segment] {
        var segments: [Segment] = []
        var end: UInt64 = 0
        var loaded: UInt64 = 0
        for header in headers {
            let address = header.address &+ base
            guard address >= end else { throw .damaged("its segments overlap") }
            let limit = LaunchOptions.memoryRange.upperBound
            guard address <= limit, header.memorySize <= limit - address else {
                throw .unsupported(
                    "is linked at \(address.hexadecimal), but a guest is mapped where it lies in "
                        + "RAM, below \(limit.hexadecimal): link it lower (-Ttext=0x100000)")
            }
            guard header.fileSize <= header.memorySize else {
                throw .damaged("a segment has more bytes in the file than in memory")
            }
            guard let bytes = file.bytes.slice(at: header.offset, count: header.fileSize) else {
                throw .truncated("segment at \(address.hexadecimal)")
            }
            loaded += header.fileSize
            guard loaded <= file.bytes.count else { throw .damaged("its segments share bytes") }
            end = address + header.memorySize
            segments.append(
                .init(
                    address: .init(address), bytes: Array(bytes), memorySize: header.memorySize))
        }
        return segments
    }

    /// The pages of the section `.shared`, which must have them for itself.
    private static func sharedRanges(
        of file: ELFFile, base: UInt64, segments: [Segment]
    ) throws(ELFError) -> [Range<UInt64>] {
        let shared = file.sections.filter { $0.name == ".shared" && $0.isAllocated && $0.size > 0 }
        guard let section = shared.first else { return [] }
        guard shared.count == 1 else { throw .unsupported("has two sections .shared: merge them") }
        let start = section.address &+ base
        guard start.isPageAligned else {
            throw .unsupported(
                "has its section .shared at \(start.hexadecimal): pages are shared, so align it "
                    + "to 4096")
        }
        guard
            let segment = segments.first(where: { $0.range.contains(start) }),
            section.size <= segment.range.upperBound - start
        else { throw .damaged("its section .shared is in no segment") }
        let range = start..<(start + section.size).roundedUpToPage
        let intruder = file.sections.first {
            let other = $0.address &+ base
            return $0.isAllocated && $0.size > 0 && $0.name != ".shared"
                && other < range.upperBound && other &+ $0.size > range.lowerBound
        }
        if let intruder {
            throw .unsupported(
                "has \(intruder.name) in a page of .shared: align what follows .shared to 4096")
        }
        return [range]
    }
}

extension GuestImage.Segment {
    /// The addresses that it takes up; made by a loader that has checked their sum.
    fileprivate var range: Range<UInt64> { address.rawValue..<address.rawValue + memorySize }
}

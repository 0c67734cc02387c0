import Testing
import VCPUControl

@Suite("ELF guests")
struct ELFTests {
    private func text(_ bytes: [UInt8]) -> String? {
        do throws(GuestError) {
            _ = try GuestImage(elf: bytes, name: "it")
            return nil
        } catch {
            guard case .unusableFile(let text) = error else { return "\(error)" }
            return text
        }
    }

    private func bent(_ change: (inout ELFFixture) -> Void) -> [UInt8] {
        var fixture = ELFFixture()
        change(&fixture)
        return fixture.bytes
    }

    @Test("segments lie at their virtual address; .shared becomes whole pages; symbols are kept")
    func executable() throws {
        let image = try GuestImage(elf: ELFFixture().bytes, name: "it")
        #expect(image.entry.rawValue == 0x10_0000)
        #expect(image.segments.map(\.address.rawValue) == [0x10_0000])
        #expect(image.segments[0].bytes.prefix(2) == [0x90, 0xc3])
        #expect(image.segments[0].memorySize == 0x3000)
        #expect(image.shared == [0x10_1000..<0x10_2000])
        #expect(image.symbols.symbols.map(\.name) == ["guest_code", "late"])
        #expect(image.symbols["late"]?.rawValue == 0x10_1000)
    }

    @Test("a static-pie at 0 moves to 0x100000, with its relocations, symbols and shared pages")
    func staticPie() throws {
        let bytes = bent {
            ($0.type, $0.entry, $0.address, $0.sharedAddress) = (3, 0, 0, 0x1000)
            $0.relocations = [(0x10, 8, 0x1234), (0x18, 0, 0)]
            $0.dynamic = [(7, 0x80), (8, 48), (9, 24)]
        }
        let image = try GuestImage(elf: bytes, name: "it")
        #expect(image.entry.rawValue == 0x10_0000)
        #expect(UInt64(littleEndian: image.segments[0].bytes[0x10..<0x18]) == 0x10_1234)
        #expect(image.shared == [0x10_1000..<0x10_2000])
        #expect(image.symbols["late"]?.rawValue == 0x10_1000)
    }

    @Test("what cannot be a guest: each sentence says why, and what to do")
    func refused() {
        let rows: [(part: String, bytes: [UInt8])] = [
            ("cut off: its header", Array(ELFFixture().bytes.prefix(40))),
            ("cut off: its section headers", Array(ELFFixture().bytes.prefix(0x900))),
            (
                "cut off: its segment at 0x200000",
                bent { $0.headers = [.init(type: 1, offset: 0xff8, address: 0x20_0000, size: 16)] }
            ),
            ("32-bit", ELFFixture().bytes.with(1, at: 4)),
            ("big-endian", ELFFixture().bytes.with(2, at: 5)),
            ("another machine (183)", bent { $0.machine = 183 }),
            ("object file: link it", bent { $0.type = 1 }),
            ("no executable (ELF type 4)", bent { $0.type = 4 }),
            ("do not have 56 bytes", ELFFixture().bytes.with(55, at: 54)),
            ("do not have 64 bytes", ELFFixture().bytes.with(63, at: 58)),
            ("no program headers", ELFFixture().bytes.with(0, at: 56)),
            ("entered at 0x50, where", bent { $0.entry = 0x50 }),
            ("linked at 0xffffffff80000000", bent { $0.address = 0xffff_ffff_8000_0000 }),
            ("linked at 0x100000, but", bent { $0.memorySize = .max }),
            ("more bytes in the file than in memory", bent { $0.memorySize = 0x100 }),
            ("dynamically linked", bent { $0.headers = [.init(type: 3)] }),
            (
                "segments overlap",
                bent { $0.headers = [.init(type: 1, address: 0x10_2fff, size: 1)] }
            ),
            ("align it to 4096", bent { $0.sharedAddress = 0x10_1008 }),
            (".shared is in no segment", bent { $0.sharedSize = 0x2001 }),
            ("has .text in a page of .shared", bent { $0.sharedAddress = 0x10_0000 }),
        ]
        for row in rows {
            let text = text(row.bytes) ?? "no error"
            #expect(text.contains(row.part), "\(text)")
            #expect(text.hasPrefix("it "))
        }
    }

    @Test("relocations that need a dynamic linker, or lie outside, are refused")
    func relocations() {
        func pie(_ change: (inout ELFFixture) -> Void) -> String {
            text(
                bent {
                    ($0.type, $0.entry, $0.address, $0.sharedSize) = (3, 0, 0, 0)
                    $0.relocations = [(0x10, 8, 0)]
                    $0.dynamic = [(7, 0x80), (8, 24)]
                    change(&$0)
                }) ?? "no error"
        }
        #expect(pie { _ in } == "no error")
        #expect(pie { $0.relocations = [(0x10, 6, 0)] }.contains("relocation of type 6"))
        #expect(pie { $0.relocations = [(0x1fc, 8, 0)] }.contains("changes 0x1001fc"))
        #expect(pie { $0.dynamic[0].value = .max }.contains("outside its segments"))
        #expect(pie { $0.dynamic[1].value = .max }.contains("larger than the file"))
        #expect(pie { $0.dynamic.append((1, 1)) }.contains("needs shared libraries"))
        #expect(pie { $0.dynamic.append((36, 1)) }.contains("packed relocations"))
        #expect(pie { $0.dynamic.append((2, 24)) }.contains("procedure linkage table"))
    }

    @Test("no bytes whatever are a crash: mutations of a good file, and noise")
    func mutations() {
        var random = SplitMix(state: 1)
        let good = bent {
            ($0.type, $0.entry, $0.address, $0.sharedAddress) = (3, 0, 0, 0x1000)
            $0.relocations = [(0x10, 8, 0)]
            $0.dynamic = [(7, 0x80), (8, 24)]
        }
        var accepted = 0
        for _ in 0..<100_000 {
            var bytes = good
            for _ in 0...random.next(below: 4) {
                let offset = Self.interesting[random.next(below: Self.interesting.count)]
                bytes[offset] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.next(below: 8) == 0 { bytes.removeLast(random.next(below: bytes.count)) }
            guard let image = try? GuestImage(elf: bytes, name: "") else { continue }
            accepted += 1
            if accepted % 100 == 0 { _ = try? LaunchPlan(image, LaunchOptions(memory: 1 << 21)) }
        }
        #expect(accepted > 1000)
        for _ in 0..<1000 {
            let noise = (0..<random.next(below: 300)).map { _ in
                UInt8(truncatingIfNeeded: random.next())
            }
            _ = try? GuestImage(elf: [0x7f, 0x45, 0x4c, 0x46, 2, 1] + noise, name: "")
        }
    }

    /// The bytes of the headers, tables and names, which mean something.
    private static let interesting =
        Array(0..<176) + Array(0x480..<0x498) + Array(0x580..<0x5b0) + Array(0x840..<0x940)
        + Array(0xc00..<0xc40) + Array(0xd18..<0xd60)
}

extension [UInt8] {
    fileprivate func with(_ byte: UInt8, at offset: Int) -> [UInt8] {
        var copy = self
        copy[offset] = byte
        return copy
    }
}

/// A small deterministic generator of numbers.
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    mutating func next(below limit: Int) -> Int { Int(next() % UInt64(max(limit, 1))) }
}

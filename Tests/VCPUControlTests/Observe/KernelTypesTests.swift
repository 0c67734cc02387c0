import Testing

@testable import VCPUControl

@Suite("Types of the kernel")
struct KernelTypesTests {
    /// BTF by hand: `struct kvm { struct list a; struct file *b; }` among types that are not asked for.
    private struct Kernel {
        var words: [UInt32] = []
        var strings: [UInt8] = [0]

        mutating func add(_ name: String, _ kind: BTF.Kind, _ words: [UInt32], members: Int = 0) {
            self.words += [offset(name), kind.rawValue << 24 | UInt32(members)] + words
        }

        mutating func offset(_ name: String) -> UInt32 {
            if name.isEmpty { return 0 }
            strings += Array(name.utf8) + [0]
            return UInt32(strings.count - name.utf8.count - 1)
        }

        var file: [UInt8] {
            let size = UInt32(words.count * 4)
            let header = [0x1_eb9f, 24, 0, size, size, UInt32(strings.count)]
            return (header + words).flatMap(\.littleEndianBytes) + strings
        }

        static var sample: Kernel {
            var kernel = Kernel()
            kernel.add("int", .integer, [4, 32])  // 1
            kernel.add("file", .structure, [4, kernel.offset("count"), 1, 0], members: 1)  // 2
            kernel.add("", .pointer, [2])  // 3
            kernel.add("list", .structure, [4, kernel.offset("next"), 1, 0], members: 1)  // 4
            let fields: [UInt32] = [kernel.offset("a"), 4, 0, kernel.offset("b"), 3, 64]
            kernel.add("kvm", .structure, [16] + fields, members: 2)  // 5
            kernel.add("bpf_iter_task_file", .function, [0])  // 6
            return kernel
        }
    }

    private func program(_ names: [String]) throws -> BTF {
        var program = Kernel()
        for name in names { program.add(name, .structure, [0]) }
        return try #require(BTF(program.file))
    }

    private func names(in types: BTF) -> [String] {
        types.places.map {
            String(decoding: types.string(at: types.words(at: $0)[0]), as: UTF8.self)
        }
    }

    @Test("a type comes with what it is made of, and not with what it points to")
    func closure() throws {
        let kernel = try #require(BTF(Kernel.sample.file))
        let types = KernelTypes(of: try program(["kvm", "absent"]), in: kernel)
        let cut = try #require(BTF(types.file))
        #expect(names(in: cut) == ["kvm", "list", "", "int"])
        #expect(cut.words(at: cut.places[0])[2...] == [16, 5, 2, 0, 7, 3, 64])
        #expect(cut.words(at: cut.places[2])[2] == 0)
        #expect(types.iterator == 6)
    }

    @Test("a name's variant is looked for by the name")
    func variant() throws {
        let kernel = try #require(BTF(Kernel.sample.file))
        let types = KernelTypes(of: try program(["file___old"]), in: kernel)
        #expect(names(in: try #require(BTF(types.file))) == ["file", "int"])
    }

    @Test(
        "a module's types go on behind the kernel's, and what the kernel has is not taken from it")
    func modules() throws {
        let kernel = try #require(BTF(Kernel.sample.file))
        let modules = try (0..<2).map { number in
            var module = Kernel()
            let strings = UInt32(Kernel.sample.strings.count)
            module.add("kvm", .structure, [1])  // 7
            module.add("", .array, [0, 1, 1, 2])  // 8
            let field = [module.offset("nodes"), 8, 0]
            module.add("svm\(number)", .structure, [8] + field, members: 1)  // 9
            // Its own strings are counted from the kernel's last one on.
            for place in [0, 9, 12] { module.words[place] += strings }
            return try #require(BTF(module.file, behind: kernel))
        }
        let wanted = try program(["kvm", "svm0", "svm1"])
        let cut = try #require(BTF(KernelTypes(of: wanted, in: kernel, modules).file))
        #expect(
            names(in: cut) == ["kvm", "list", "", "int", "svm0", "", "svm1", ""])
    }

    @Test("bytes that are no BTF give none", arguments: [0, 3, 23, 24, 60, 200])
    func malformed(count: Int) {
        let file = Kernel.sample.file
        #expect(BTF(Array(file.prefix(count))) == nil)
        #expect(BTF([0] + file) == nil)
        var unknown = Kernel.sample
        unknown.add("", .integer, [0, 0])
        unknown.words[unknown.words.count - 3] = 31 << 24
        #expect(BTF(unknown.file) == nil)
    }

    @Test("each program has types, and finds those of its own")
    func programs() throws {
        for program in [BPFProgram.inspect, .observe, .stop] where !program.object.isEmpty {
            let own = try #require(KernelTypes.types(of: program.object))
            let cut = try #require(BTF(KernelTypes(of: own, in: own).file))
            let all = Set(names(in: cut))
            #expect(all.contains("observe_constants"), "\(program.name)")
            #expect(cut.places.count < own.places.count)
        }
    }
}

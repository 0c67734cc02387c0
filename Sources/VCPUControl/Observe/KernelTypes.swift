import SystemPackage

/// The few types of the kernel that a BPF program may mean.
///
/// A program says by name which fields it looks at, and libbpf looks for each name among all types of
/// the kernel and of its modules: 126 000 of them, 30 ms. Among these it finds the same at once.
struct KernelTypes {
    /// As a file of BTF.
    let file: [UInt8]
    /// The number of the function whose arguments an iterator over files has; 0: there is none.
    let iterator: UInt32

    /// Where KVM's types are, unless they are the kernel's own.
    private static let modules = ["kvm", "kvm_amd", "kvm_intel"]

    /// Looks for the types of a program.
    ///
    /// - Parameters:
    ///   - program: its own types.
    ///   - kernel: all of the kernel.
    ///   - modules: all of modules.
    init(of program: BTF, in kernel: BTF, _ modules: [BTF] = []) {
        var names = TypeNames(of: program)
        var extract = BTFExtract()
        let found = names.places(in: kernel)
        extract.add(found.map(\.type), of: kernel)
        // As libbpf has it: modules are not asked for what the kernel has.
        names.remove(found.map(\.name))
        for module in modules {
            extract.add(names.places(in: module).map(\.type), of: module, behind: kernel)
        }
        file = extract.file
        iterator = kernel.function("bpf_iter_task_file") ?? 0
    }

    /// Reads them from the running kernel.
    ///
    /// - Returns: `nil` where the kernel or the program has none; what that means, libbpf says.
    init?(of object: [UInt8]) {
        guard let program = Self.types(of: object),
            let kernel = Self.read("vmlinux").flatMap({ BTF($0) })
        else { return nil }
        let modules = Self.modules.compactMap { Self.read($0) }
        self.init(of: program, in: kernel, modules.compactMap { BTF($0, behind: kernel) })
    }

    /// The section of an object file that has its types.
    static func types(of object: [UInt8]) -> BTF? {
        let bytes = LittleEndianBytes(object)
        guard let sections = try? ELFFile.sections(bytes),
            let section = sections.first(where: { $0.name == ".BTF" }),
            let types = bytes.slice(at: section.offset, count: section.size)
        else { return nil }
        return BTF(Array(types))
    }

    private static func read(_ name: String) -> [UInt8]? {
        let path = FilePath("/sys/kernel/btf/\(name)")
        guard let file = try? FileDescriptor.open(path, .readOnly) else { return nil }
        defer { try? file.close() }
        guard let size = try? file.seek(offset: 0, from: .end) else { return nil }
        return try? unsafe [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            let all = UnsafeMutableRawBufferPointer(buffer)
            // The kernel gives a page at a time.
            while count < all.count {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: all[count...])
                let part = try unsafe file.read(fromAbsoluteOffset: Int64(count), into: rest)
                if part == 0 { return }
                count += part
            }
        }
    }
}

/// The names of a program's types, as the kernel has them.
private struct TypeNames {
    /// By their first byte.
    private var names = [[[UInt8]]](repeating: [], count: 256)

    /// Takes those of all types that a program may mean by their names.
    init(of program: BTF) {
        let all = program.places.filter { program.kind(at: $0)?.isMeantByName == true }
            .map { Self.essential(program.string(at: program.words(at: $0)[0])) }
        for name in Set(all) { if let first = name.first { names[Int(first)].append(name) } }
    }

    /// The part that the kernel's type has: `vcpu_vmx` of `vcpu_vmx___vt`.
    private static func essential(_ name: ArraySlice<UInt8>) -> [UInt8] {
        let suffix = name.indices.first { name[$0...].starts(with: "___".utf8) }
        return Array(name[..<(suffix ?? name.endIndex)])
    }

    mutating func remove(_ found: [[UInt8]]) {
        names = names.map { $0.filter { !found.contains($0) } }
    }

    /// The numbers of the types with such names.
    func places(in types: BTF) -> [(type: Int, name: [UInt8])] {
        types.places.enumerated().compactMap { index, place in
            guard types.kind(at: place)?.isMeantByName == true,
                let name = names[Int(types.initial(at: place))].first(where: {
                    types.isNamed($0, at: place)
                })
            else { return nil }
            return (types.firstType + index, name)
        }
    }
}

extension BTF.Kind {
    fileprivate var isMeantByName: Bool {
        switch self {
        case .structure, .union, .enumeration, .wideEnumeration, .typedef: true
        default: false
        }
    }
}

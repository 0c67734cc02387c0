extension LaunchOptions {
    /// Sizes of RAM that a guest can have: sevdbg's own pages must end below the MMIO holes.
    static let memoryRange: ClosedRange<UInt64> = 1 << 20...0xf000_0000 - StubLayout.limit
    /// At most as many as the pool of the KVM selftests has entries.
    static let vcpuRange = 1...512

    /// Checks what does not depend on the guest.
    func validate() throws(GuestError) {
        guard Self.memoryRange.contains(memory), memory.isPageAligned else {
            throw .badOption(
                "a guest cannot have \(memory) bytes of memory: give --memory a multiple of 4K "
                    + "from 1M to 3776M")
        }
        guard Self.vcpuRange.contains(vcpus) else {
            throw .badOption(
                "a guest cannot have \(vcpus) vCPUs: there is room for 1 to 512 GHCBs and stacks; "
                    + "give --vcpus one of these")
        }
        guard (1...2).contains(ghcbVersion) else {
            throw .badOption(
                "there is no GHCB protocol version \(ghcbVersion): give --ghcb-version 1 or 2")
        }
        guard arguments.count <= Register.arguments.count else {
            throw .badOption(
                "a guest takes at most \(Register.arguments.count) arguments, in rdi, rsi, rdx, "
                    + "rcx, r8 and r9, not \(arguments.count): shorten --args")
        }
    }

    /// Checks that the guest fits into its RAM.
    func validate(_ image: GuestImage) throws(GuestError) {
        guard !image.defaults.isBoundToSetup || setup == image.defaults.setup else {
            let only = image.defaults.setup.rawValue
            throw .badOption(
                "\(image.name) cannot run under the GHCB setup \(setup.rawValue): what it shows is "
                    + "part of its own \(only); give --ghcb \(only)")
        }
        for segment in image.segments {
            let start = segment.address.rawValue
            let size = max(segment.memorySize, UInt64(segment.bytes.count))
            let (end, wraps) = start.addingReportingOverflow(size)
            guard !wraps, end <= Self.memoryRange.upperBound else {
                throw .unusableFile(
                    "\(image.name) cannot be loaded at \(start.hexadecimal): RAM ends at "
                        + "\(Self.memoryRange.upperBound.hexadecimal) at most; link it lower")
            }
            guard end <= memory else {
                throw .badOption(
                    "\(image.name) reaches up to \(end.hexadecimal), but RAM ends at "
                        + "\(memory.hexadecimal): give --memory \((end + 0xf_ffff) >> 20)M or more")
            }
        }
        guard image.shared.allSatisfy({ $0.upperBound <= memory }) else {
            throw .badOption(
                "the shared pages of \(image.name) reach beyond RAM, which ends at "
                    + "\(memory.hexadecimal): give more --memory")
        }
    }
}

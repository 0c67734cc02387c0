// Finding where a VMM has mapped the kvm_run of a vCPU, when names do not tell.
extension ProcessInspector {
    /// The mapping in which a mark appears that is made in the vCPU's `kvm_run` from here.
    ///
    /// - Returns: `nil` where none is, or the kernel refuses to look.
    func runPlace(of descriptor: Int32, among places: [ForeignMapping]) -> ForeignMapping? {
        guard let size = places.first?.range.count,
            let page = ProcessDescriptor(process)?.runPage(
                of: descriptor, size: size, isWritable: true)
        else { return nil }
        let (memory, before) = (ForeignMemory(process: process), page.unused)
        defer { page.unused = before }
        return places.first { place in
            [before ^ 0x5a, before ^ 0xa5].allSatisfy { mark in
                page.unused = mark
                let address = place.range.lowerBound + ForeignRunPage.unusedOffset
                return memory.read(address, count: 1) == [mark]
            }
        }
    }
}

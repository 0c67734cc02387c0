/// Mistakes of a hypervisor, for guests that show what becomes of a correct guest under them.
package struct HypervisorFault: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// An event that succeeded leaves SW_EXITINFO1 as the guest wrote it; cloud-hypervisor#6604.
    package static let keepsExitInfo1 = HypervisorFault(rawValue: 1)
    /// The first GHCB of a vCPU stays in use when the guest writes another to the MSR;
    /// cloud-hypervisor#6652.
    package static let keepsFirstGHCB = HypervisorFault(rawValue: 2)

    /// What the hypervisor does wrong, as a part of a sentence about it; `nil` where nothing is.
    package var text: String? {
        let texts = [
            contains(.keepsExitInfo1) ? "does not clear SW_EXITINFO1" : nil,
            contains(.keepsFirstGHCB) ? "goes on with the first GHCB of a vCPU" : nil,
        ].compactMap { $0 }
        return texts.isEmpty ? nil : texts.joined(separator: " and ")
    }
}

internal import CKVM

/// Why the stub ended the VM: the reasons of its termination set, 5 (stub.h, STUB_).
package enum StubTermination: CaseIterable, Sendable {
    case unsupported, exception, refused, notDecoded, noGHCB, nested, notMMIO

    /// The termination set of the stub.
    package static let set = UInt8(STUB_SET)

    /// `nil` for a termination that is not the stub's.
    package init?(set: UInt8, code: UInt8) {
        guard set == Self.set, let reason = Self.allCases.first(where: { $0.code == code }) else {
            return nil
        }
        self = reason
    }

    package var code: UInt8 {
        switch self {
        case .unsupported: UInt8(STUB_UNSUPPORTED)
        case .exception: UInt8(STUB_EXCEPTION)
        case .refused: UInt8(STUB_REFUSED)
        case .notDecoded: UInt8(STUB_NOT_DECODED)
        case .noGHCB: UInt8(STUB_NO_GHCB)
        case .nested: UInt8(STUB_NESTED)
        case .notMMIO: UInt8(STUB_NOT_MMIO)
        }
    }

    /// What happened, as a sentence without its full stop.
    package var sentence: String {
        switch self {
        case .unsupported:
            "sevdbg's #VC handler has no handling for this exit code; load an IDT with your own"
        case .exception:
            "the guest must take an exception here, and sevdbg's IDT has no gate but that of #VC; "
                + "load your own"
        case .refused:
            "the hypervisor refused the request of sevdbg's #VC handler, or its answer lacks a "
                + "field"
        case .notDecoded:
            "the instruction at the #VC is none that sevdbg's handler knows for this exit code"
        case .noGHCB:
            "the vCPU has no GHCB: all entries of the pool are in use, or it gave its own back"
        case .nested:
            "a #VC came inside sevdbg's #VC handler: an operand of the instruction lies where no "
                + "RAM is"
        case .notMMIO:
            "an MMIO access came from an address that has RAM: sevdbg's handler takes the linear "
                + "address for the physical one"
        }
    }
}

/// A segment register with its hidden part.
///
/// `attributes` is in VMSA form: [3:0] type, 4 S, [6:5] DPL, 7 P, 8 AVL, 9 L, 10 D/B, 11 G
/// (REFERENCE 9).
package struct Segment: Sendable, Equatable {
    package var selector: UInt16
    package var attributes: UInt16
    package var limit: UInt32
    package var base: UInt64

    package init(
        selector: UInt16, attributes: UInt16, limit: UInt32 = 0xffff_ffff, base: UInt64 = 0
    ) {
        self.selector = selector
        self.attributes = attributes
        self.limit = limit
        self.base = base
    }
}

/// GDTR or IDTR.
package struct DescriptorTable: Sendable, Equatable {
    package var base: UInt64
    package var limit: UInt16

    package init(base: UInt64, limit: UInt16) {
        self.base = base
        self.limit = limit
    }
}

/// The names of the six segment registers, in the encoding order of x86.
package enum SegmentName: UInt8, CaseIterable, Sendable {
    case es, cs, ss, ds, fs, gs
}

/// The state of a vCPU outside its register file, as `KVM_GET_SREGS` shows it for a plain vCPU.
package struct SystemRegisters: Sendable, Equatable {
    package var es, cs, ss, ds, fs, gs: Segment
    package var ldtr, tr: Segment
    package var gdtr, idtr: DescriptorTable
    package var cr0, cr2, cr3, cr4, cr8: UInt64
    package var efer, xcr0: UInt64
    package var dr6, dr7: UInt64
    /// `MSR_AMD64_SEV_ES_GHCB` (0xC0010130).
    package var ghcb: UInt64

    /// The current privilege level: the DPL of SS.
    package var cpl: UInt8 { UInt8(ss.attributes >> 5 & 3) }

    /// All zero: the caller fills in what its launch needs.
    package init() {
        let none = Segment(selector: 0, attributes: 0, limit: 0)
        (es, cs, ss, ds, fs, gs, ldtr, tr) = (none, none, none, none, none, none, none, none)
        gdtr = DescriptorTable(base: 0, limit: 0)
        idtr = gdtr
        (cr0, cr2, cr3, cr4, cr8, efer, xcr0) = (0, 0, 0, 0, 0, 0, 1)
        (dr6, dr7, ghcb) = (0xffff_0ff0, 0x400, 0)
    }
}

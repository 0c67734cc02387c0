/// What the host can tell of a request that KVM has taken already (REFERENCE 1a, step 5).
///
/// The exit code, the registers and the scratch data of the page are still the guest's; the bitmap
/// is gone and both information words are zero. What is missing comes from elsewhere, or not at all.
package struct RequestSight: Sendable, Equatable {
    /// The page as KVM left it.
    package let page: GHCBPage
    /// The exit that the request led to.
    package let exit: Exit

    package enum Exit: Sendable, Equatable {
        case port(PortAccess)
        case memory(MMIOAccess)

        /// What the guest asked for.
        package var code: ExitCode {
            switch self {
            case .port: .ioio
            case .memory(let access): access.isRead ? .mmioRead : .mmioWrite
            }
        }
    }

    /// Takes a page for that of an exit; `nil` where it cannot be it.
    package init?(_ page: GHCBPage, _ exit: Exit) {
        guard Self.isTaken(page), exit.code == ExitCode(page.raw(.swExitCode)),
            Self.agrees(page, exit)
        else { return nil }
        self.page = page
        self.exit = exit
    }

    /// Both information words zero, and nothing else valid.
    private static func isTaken(_ page: GHCBPage) -> Bool {
        page.validFields == [.swExitInfo1, .swExitInfo2] && page.unnamedValidBits.isEmpty
            && page.raw(.swExitInfo1) == 0 && page.raw(.swExitInfo2) == 0
    }

    /// A plain OUT has its data in RAX.
    private static func agrees(_ page: GHCBPage, _ exit: Exit) -> Bool {
        guard case .port(let access) = exit, !access.isInput, access.count == 1 else { return true }
        return page.raw(.rax).littleEndianBytes(access.data.count) == access.data
    }
}

extension RequestSight {
    /// SW_EXITINFO1 and 2 as far as the exit tells them.
    ///
    /// Of a port access that leaves the width of addresses and the segment, which are taken for 64
    /// bits and the usual one, and whether one unit was a string.
    private var words: (info1: UInt64, info2: UInt64) {
        switch exit {
        case .port(let access):
            let isString = access.count > 1
            let info = IOIOInfo(
                port: access.port, size: UInt8(clamping: access.size), isInput: access.isInput,
                isString: isString, isRepeated: isString,
                segment: isString && !access.isInput ? .ds : .es)
            return (info.rawValue, isString ? UInt64(access.count) : 0)
        case .memory(let access):
            return (access.address.rawValue, UInt64(max(access.length, 0)))
        }
    }

    /// The request as far as it is known: what is valid in it is what the guest passed.
    ///
    /// Fields that the event requires were valid, or KVM would not have let the request in.
    package var request: GHCBPage {
        var request = page
        request.clearValidBitmap()
        request.set(.swExitCode, to: page.raw(.swExitCode))
        request.set(.swExitInfo1, to: words.info1)
        request.set(.swExitInfo2, to: words.info2)
        for field in NAEEvent.requiredFields(of: request) {
            request.set(field, to: request.raw(field))
        }
        return request
    }

    /// A field of the request, with where it is from.
    package func reading(_ field: GHCBField) -> Reading<UInt64> {
        let request = request
        guard field.validBit == nil || request.isValid(field) else { return .hidden(.wiped) }
        switch field {
        case .swExitInfo1, .swExitInfo2: return .known(request.raw(field), from: .direct)
        default: return .known(request.raw(field), from: .ghcb)
        }
    }

    /// The page as the guest finds it, when the access is answered with these bytes.
    package func response(_ data: [UInt8]) -> GHCBPage {
        var response = page
        if case .port(let access) = exit, access.isInput, access.count == 1 {
            response.set(.rax, to: UInt64(littleEndian: data))
        }
        return response
    }
}

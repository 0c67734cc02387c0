import Testing

@testable import DebugUI
@testable import VCPUControl

@Suite("GuestText")
struct GuestTextTests {
    @Test("each of the 256 bytes becomes printable ASCII")
    func everyByte() {
        for byte in UInt8.min...UInt8.max {
            let text = GuestText.escaped(byte)
            #expect(text.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "\(byte)")
            switch byte {
            case 0x20...0x7e: #expect(text.utf8.elementsEqual([byte]))
            case 0x00...0x1f: #expect(text.utf8.elementsEqual([0x5e, byte + 0x40]))
            case 0x7f: #expect(text == "^?")
            default: #expect(text == "\\x" + String(byte, radix: 16))
            }
        }
    }

    @Test("escapes are marked, and tabs go to the next multiple of eight")
    func line() {
        let line = GuestText.line(Array("a\tb\u{1b}[1m".utf8) + [0xff])
        #expect(line.spans.map(\.text) == ["a       b", "^[", "[1m", "\\xff"])
        #expect(line.spans.map(\.style) == [.normal, .escape, .normal, .escape])
    }

    @Test("no byte of the guest reaches a frame as it is")
    func screen() {
        let bytes = Array(UInt8.min...UInt8.max)
        let state = Story.told(
            then: [.session([.console(vcpu: 0, bytes: bytes)]), .key("5"), .key("z")])
        let frame = render(state, Size(columns: 500, rows: 24))
        #expect(frame.text.contains("^[^\\^]^^^_ !\""))
        #expect(frame.text.contains("\\x9b\\x9c"))
    }
}

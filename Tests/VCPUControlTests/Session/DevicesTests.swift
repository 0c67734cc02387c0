import Testing

@testable import VCPUControl

@Suite("Devices")
struct DevicesTests {
    let devices = Devices()

    private func output(_ port: UInt16, _ data: [UInt8], size: Int = 1) -> Devices.Answer {
        devices.answer(
            PortAccess(
                port: port, size: size, count: data.count / size, data: data, isInput: false))
    }

    private func input(_ port: UInt16, size: Int = 1, count: Int = 1) -> [UInt8] {
        devices.answer(
            PortAccess(port: port, size: size, count: count, data: [], isInput: true)
        ).data
    }

    @Test("port 0x3f8 is the console, one byte of each unit")
    func serial() {
        #expect(output(0x3f8, [0x68, 0x69]).effect == .console([0x68, 0x69]))
        #expect(output(0x3f8, [0x68, 1, 0x69, 2], size: 2).effect == .console([0x68, 0x69]))
        #expect(input(0x3f8) == [0])
        #expect(input(0x3fd) == [0x60])
        #expect(input(0x3fc, size: 2) == [0xff, 0x60])
    }

    @Test("unclaimed ports read all ones and drop writes")
    func unclaimed() {
        #expect(input(0x80, size: 4, count: 2) == [UInt8](repeating: 0xff, count: 8))
        #expect(output(0x80, [1]).effect == nil)
        #expect(input(0xffff, size: 4).count == 4)
    }

    @Test("port 0x1000 takes the pointer of a ucall in eight bytes")
    func ucall() {
        let pointer: [UInt8] = [0, 0x20, 0, 0, 0, 0, 0, 0]
        #expect(output(0x1000, pointer).effect == .ucall(0x2000))
        #expect(output(0x1000, [1, 2]).effect == nil)
    }

    @Test("the 8250 at 0xfe000000 transmits single bytes")
    func memory() {
        func write(_ address: UInt64, _ data: [UInt8]) -> Devices.Effect? {
            devices.answer(
                MMIOAccess(
                    address: .init(address), length: data.count, data: data, isRead: false)
            ).effect
        }
        func read(_ address: UInt64, _ length: Int) -> [UInt8] {
            devices.answer(
                MMIOAccess(address: .init(address), length: length, data: [], isRead: true)
            ).data
        }
        #expect(write(0xfe00_0000, [0x41]) == .console([0x41]))
        #expect(write(0xfe00_0000, [0x41, 0]) == nil)
        #expect(write(0xfe00_0001, [0x41]) == nil)
        #expect(read(0xfe00_0005, 1) == [0x60])
        #expect(read(0xfe00_0000, 8) == [255, 255, 255, 255, 255, 0x60, 255, 255])
    }
}

@Suite("Ucall")
struct UcallTests {
    private func bytes(_ number: UInt64, _ arguments: [UInt64], _ text: String = "") -> [UInt8] {
        var bytes = ([number] + arguments).flatMap { $0.littleEndianBytes(8) }
        bytes += [UInt8](repeating: 0, count: 64 - bytes.count) + text.utf8
        return bytes + [UInt8](repeating: 0, count: Ucall.size - bytes.count)
    }

    private func console(_ bytes: [UInt8]) -> String? {
        Ucall(bytes).map { String(decoding: $0.console { [UInt8]("s\($0)".utf8) }, as: UTF8.self) }
    }

    @Test("each command has its text")
    func texts() {
        #expect(console(bytes(3, [], "hello\n")) == "hello\n")
        #expect(console(bytes(1, [0, 7])) == "ucall SYNC 7\n")
        #expect(console(bytes(4, [])) == "ucall DONE\n")
        #expect(console(bytes(2, [1, 2, 33])) == "ucall ABORT s1 at s2:33\n")
        #expect(console(bytes(2, [1, 2, 33], "oops")) == "ucall ABORT oops\n")
        #expect(console(bytes(77, [])) == "ucall unknown ucall 77\n")
        #expect(Ucall([0]) == nil)
    }
}

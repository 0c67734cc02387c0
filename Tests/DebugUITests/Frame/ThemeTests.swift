import Foundation
import Testing

@testable import DebugUI

@Suite("Themes")
struct ThemeTests {
    @Test("the theme mono has no colour, and each theme the same attributes for what stands out")
    func mono() {
        for style in Style.allCases {
            #expect(Theme.mono[style].color == nil)
            #expect(Theme.default[style].attributes == Theme.light[style].attributes)
        }
    }

    @Test("no theme tells red from green", arguments: Theme.allCases)
    func redAndGreen(theme: Theme) {
        let colors = Set(Style.allCases.compactMap { theme[$0].color?.basic })
        #expect(!colors.contains(.green))
    }

    @Test(
        "every colour can be read on its background",
        arguments: [(Theme.default, 0.0), (.light, 1)])
    func contrast(theme: Theme, background: Double) {
        for style in Style.allCases {
            guard let color = theme[style].color else { continue }
            #expect(color.indexed >= 16, "\(style): users redefine the first sixteen")
            let (a, b) = (Self.luminance(color.indexed) + 0.05, background + 0.05)
            // WCAG 2.1, 1.4.3: text has at least 4.5 : 1.
            #expect(max(a, b) / min(a, b) >= 4.5, "\(theme) \(style)")
        }
    }

    @Test("a terminal of eight or sixteen colours gets the basic ones")
    func numbers() throws {
        let color = try #require(Theme.default[.error].color)
        #expect(color.number(of: 8) == 1)
        #expect(color.number(of: 16) == 1)
        #expect(color.number(of: 256) == color.indexed)
        #expect(color.number(of: 1 << 24) == 1)
    }

    /// Of a colour of xterm's 6 x 6 x 6 cube; WCAG 2.1, relative luminance.
    private static func luminance(_ index: Int16) -> Double {
        let levels = [0.0, 95, 135, 175, 215, 255]
        let cube = Int(index) - 16
        let parts = [cube / 36, cube / 6 % 6, cube % 6].map { part in
            let level = levels[part] / 255
            return level <= 0.03928 ? level / 12.92 : pow((level + 0.055) / 1.055, 2.4)
        }
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }
}

/// A text as a shell takes it for one word.
package struct ShellWord: CustomStringConvertible {
    private let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// Between single quotes, whatever it is.
    package var quoted: String { "'" + text.replacing("'", with: "'\\''") + "'" }

    /// As a person would write it: quoted only where it must be.
    package var description: String {
        let isPlain =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy { scalar in
                scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                    || "_-./:@%+,".unicodeScalars.contains(scalar)
            }
        return isPlain ? text : quoted
    }
}

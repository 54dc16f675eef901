/// Fits text into the columns of a terminal: counts them as a terminal does, and breaks or cuts lines.
///
/// Nothing here prints. Colour codes (`ESC [ … m`) take no room.
enum Layout {
    /// How many columns a text takes, at most: wide characters and emoji take two.
    ///
    /// Terminals do not agree about joined emoji, so each part of one counts; a line is then rather too short than
    /// too long.
    static func columns(_ text: some StringProtocol) -> Int {
        var count = 0
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if scalar == "\u{1b}" {
                rest = rest.drop { $0 != "m" }.dropFirst()
            } else {
                count += rest.first == "\u{fe0f}" ? 2 : columns(of: scalar)
            }
        }
        return count
    }

    /// Breaks each line of a text at spaces so that it takes no more than `width` columns; nil leaves it as it is.
    ///
    /// What follows a break is indented as the line itself is, or by `indent`. A word that is longer than a line is
    /// left whole, and so are what stands in double quotes, a command of martlet, which people copy, and a number with its unit.
    static func wrap(_ text: String, to width: Int?, indent: String? = nil) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line in
            guard let width, columns(line) > width else { return [String(line)] }
            let lead = String(line.prefix { $0 == " " })
            return wrap(words(of: line, width: width), to: width, lead: lead, indent: indent ?? lead)
        }
    }

    private static func wrap(_ words: [Word], to width: Int, lead: String, indent: String) -> [String] {
        var lines: [String] = []
        var line = lead
        var isEmpty = true
        for word in words {
            if !isEmpty, columns(line) + word.gap.count + columns(word.text) > width {
                lines.append(line)
                line = indent
                isEmpty = true
            }
            line += (isEmpty ? "" : word.gap) + word.text
            isEmpty = false
        }
        return lines + [line]
    }

    /// Cuts a line to `width` columns, with … as the last one when something is missing.
    static func cut(_ line: String, to width: Int) -> String {
        guard columns(line) > width else { return line }
        var kept = ""
        var count = 0
        var isColoured = false
        var rest = line[...]
        while let character = rest.first {
            if character == "\u{1b}" {
                let code = rest.prefix { $0 != "m" } + "m"
                kept += code
                rest = rest.dropFirst(code.count)
                isColoured = true
                continue
            }
            count += columns(String(character))
            guard count < width else { break }
            kept.append(character)
            rest = rest.dropFirst()
        }
        return kept + "…" + (isColoured ? "\u{1b}[0m" : "")
    }

    /// Cuts lines to a terminal of so many columns, and takes out of the middle what is too much for its rows.
    static func fit(_ lines: [String], columns: Int, rows: Int) -> [String] {
        let cut = lines.map { Self.cut($0, to: columns) }
        guard cut.count > rows, rows > 1 else { return Array(cut.prefix(max(1, rows))) }
        return cut.prefix(rows - 2) + ["…"] + cut.suffix(1)
    }

    /// How many rows lines take that a terminal of so many columns breaks where it must.
    static func rows(of lines: [String], columns: Int) -> Int {
        lines.reduce(0) { $0 + max(1, (Self.columns($1) + columns - 1) / max(1, columns)) }
    }

    /// The text on one line, without what would move the cursor.
    static func plain(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 })
        )
    }

    /// The text with a picture for each character that a terminal would obey, such as ␛: names may hold anything.
    ///
    /// Line ends, tabs and colour codes stay.
    static func visible(_ text: String) -> String {
        var shown = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let scalar = rest.first {
            if scalar == "\u{1b}", let code = String(rest).prefixMatch(of: /\u{1b}\[[0-9;]*m/)?.output {
                shown.append(contentsOf: code.unicodeScalars)
                rest = rest.dropFirst(code.unicodeScalars.count)
                continue
            }
            shown.append(picture(of: scalar))
            rest = rest.dropFirst()
        }
        return String(shown)
    }

    /// Control Pictures begin at U+2400, DEL's is U+2421; what else cannot be seen, or turns the direction of a line, has none.
    private static func picture(of scalar: Unicode.Scalar) -> Unicode.Scalar {
        switch scalar.value {
        case 0x09, 0x0A: scalar
        case 0..<0x20: Unicode.Scalar(0x2400 + scalar.value) ?? "\u{fffd}"
        case 0x7F: "\u{2421}"
        case 0x80...0x9F, 0x202A...0x202E, 0x2066...0x2069: "\u{fffd}"
        default: scalar
        }
    }

    // MARK: Words

    /// What is never broken, and the spaces before it.
    private struct Word {
        var gap: String
        var text: String

        /// Whether a quotation begins here that ends in a later word.
        var isOpen: Bool { !text.count { $0 == "\"" }.isMultiple(of: 2) }
    }

    private static func words(of line: Substring, width: Int) -> [Word] {
        var words: [Word] = []
        var rest = line
        while !rest.isEmpty {
            let gap = rest.prefix { $0 == " " }
            rest = rest.dropFirst(gap.count)
            let text = rest.prefix { $0 != " " }
            rest = rest.dropFirst(text.count)
            if !text.isEmpty { words.append(Word(gap: String(gap), text: String(text))) }
        }
        return joined(words, width: width)
    }

    /// Puts together what belongs together, unless it would be longer than a line.
    private static func joined(_ words: [Word], width: Int) -> [Word] {
        var joined: [Word] = []
        var at = 0
        while at < words.count {
            var word = words[at]
            at += 1
            if word.isOpen, let end = words[at...].firstIndex(where: \.isOpen) {
                let all = words[at...end].reduce(word.text) { $0 + $1.gap + $1.text }
                if columns(all) <= width {
                    word.text = all
                    at = end + 1
                }
            } else if word.text == "martlet", at < words.count {
                word.text += words[at].gap + words[at].text
                at += 1
            } else if word.text.last?.isNumber == true, at < words.count, isUnit(words[at].text) {
                word.text += words[at].gap + words[at].text
                at += 1
            }
            joined.append(word)
        }
        return joined
    }

    private static func isUnit(_ text: String) -> Bool {
        let letters = text.prefix { $0.isLetter }
        return ["s", "ms", "min", "h", "B", "kB", "MB", "GB", "TB", "bytes"].contains(String(letters))
    }

    // MARK: Columns

    private static func columns(of scalar: Unicode.Scalar) -> Int {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        if scalar.value < 0x1100 { return 1 }
        return wide.contains { $0.contains(scalar.value) } || isWideEmoji(scalar) ? 2 : 1
    }

    private static func isWideEmoji(_ scalar: Unicode.Scalar) -> Bool {
        // A flag is two of these, and takes two columns.
        let isFlagPart = (0x1F1E6...0x1F1FF).contains(scalar.value)
        return scalar.properties.isEmojiPresentation && !isFlagPart
    }

    /// The blocks whose characters Unicode's EastAsianWidth.txt calls wide or fullwidth.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
        0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
        0x17000...0x18D08, 0x1B000...0x1B2FB, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD,
    ]
}

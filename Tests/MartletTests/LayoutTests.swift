import Testing

@testable import martlet

/// How text is fitted into a terminal.
struct LayoutTests {
    @Test(arguments: [
        ("abc", 3), ("", 0), ("é", 1), ("e\u{301}", 1), ("日本語", 6), ("🐦", 2), ("☃\u{fe0f}", 2), ("🇨🇭", 2), ("한", 2),
        ("\u{1b}[1;31merror\u{1b}[0m", 5), ("█░→·", 4), ("\u{200b}", 0),
    ])
    func `columns are counted as a terminal does`(text: String, columns: Int) {
        #expect(Layout.columns(text) == columns)
    }

    @Test func `lines are broken at words, and go on with their own indent`() {
        let text = "could not\n  a line that is longer than twenty columns"
        #expect(
            Layout.wrap(text, to: 20) == [
                "could not", "  a line that is", "  longer than twenty", "  columns",
            ]
        )
        #expect(Layout.wrap("a b c d", to: 3, indent: "> ") == ["a b", "> c", "> d"])
        #expect(Layout.wrap("table   of  columns", to: 30) == ["table   of  columns"])
    }

    @Test(arguments: [
        ("table \"a\u{1b}]0;title\u{7}\u{1b}[2J\"", "table \"a␛]0;title␇␛[2J\""),
        ("\u{1b}[1;31merror:\u{1b}[0m\ta\nb", "\u{1b}[1;31merror:\u{1b}[0m\ta\nb"),
        ("over\rwritten\u{8}\u{7f}\u{9b}1A\u{202e}", "over␍written␈␡\u{fffd}1A\u{fffd}"),
        ("e\u{301} 🐦 日本語", "e\u{301} 🐦 日本語"),
    ])
    func `a terminal shows what names hold, and does not obey it`(text: String, shown: String) {
        #expect(Layout.visible(text).unicodeScalars.elementsEqual(shown.unicodeScalars))
    }

    @Test func `nothing is broken where there is no terminal`() {
        let text = String(repeating: "word ", count: 100) + "\nend"
        #expect(Layout.wrap(text, to: nil).joined(separator: "\n") == text)
    }

    @Test func `words, quotations and commands stay whole`() {
        let path = "/a/path/that/is/longer/than/a/line"
        #expect(Layout.wrap("see \(path) there", to: 20) == ["see", path, "there"])
        #expect(
            Layout.wrap("Make it with \"martlet sandbox\".", to: 24) == ["Make it with", "\"martlet sandbox\"."]
        )
        #expect(Layout.wrap("it took 12.5 s, or", to: 12) == ["it took", "12.5 s, or"])
        #expect(Layout.wrap("look at martlet status", to: 16) == ["look at", "martlet status"])
    }

    @Test(arguments: [10, 20, 40, 80])
    func `no line is longer than the terminal`(width: Int) {
        let text = "waiting: die Größe 日本語 日本語 🐦🐦🐦 \"a b\" of many words, and then some more of them"
        for line in Layout.wrap(text, to: width) { #expect(Layout.columns(line) <= width) }
    }

    @Test func `what is cut ends with three dots, and with its colour`() {
        #expect(Layout.cut("abcdef", to: 6) == "abcdef")
        #expect(Layout.cut("abcdef", to: 5) == "abcd…")
        #expect(Layout.cut("日本語", to: 5) == "日本…")
        #expect(Layout.cut("日本語", to: 4) == "日…")
        #expect(Layout.cut("\u{1b}[2mabcdef\u{1b}[0m", to: 4) == "\u{1b}[2mabc…\u{1b}[0m")
    }

    @Test func `what is too high for the terminal loses its middle`() {
        #expect(Layout.fit(["a", "b", "c", "d", "e"], columns: 9, rows: 4) == ["a", "b", "…", "e"])
        #expect(Layout.fit(["a", "b"], columns: 9, rows: 4) == ["a", "b"])
    }

    @Test(arguments: [24, 30, 60])
    func `a block that is drawn again leaves nothing of the last one`(columns: Int) {
        var terminal = Terminal(columns: columns, rows: 10)
        let size = Screen.Size(columns: columns, rows: 10)
        let frames = [
            ["head", "a 🐦 line", "next: much longer than any terminal of this test is wide, so that it is cut"],
            ["head"],
            ["head", "日本語日本語日本語日本語日本語日本語", "b"], (1...30).map { "line \($0)" }, ["head", "end"],
        ]
        var last: [String] = []
        terminal.write("before\n")
        for frame in frames {
            let fitted = Layout.fit(frame, columns: columns - 1, rows: 9)
            terminal.write(Screen.redraw(fitted, over: last, on: size))
            last = fitted
            #expect(terminal.lines.suffix(fitted.count) == fitted[...])
            #expect(terminal.lines.count { $0 == fitted[0] } == 1)
        }
    }

    @Test func `a window that becomes narrower leaves nothing of the last block`() {
        var terminal = Terminal(columns: 40, rows: 10)
        let last = ["head", "a line of thirty-five columns, cut.", "end"]
        terminal.write(Screen.redraw(last, over: [], on: Screen.Size(columns: 40, rows: 10)))
        terminal.resize(columns: 20)
        terminal.write(Screen.redraw(["head", "end"], over: last, on: Screen.Size(columns: 20, rows: 10)))
        #expect(terminal.lines == ["head", "end"])
    }
}

/// What a terminal does with what a ``Screen`` writes, with all that has scrolled away.
private struct Terminal {
    private(set) var columns: Int
    let rows: Int
    /// One row of the terminal, and whether the next one only continues it.
    private var cells: [(text: String, goesOn: Bool)] = [("", false)]
    private var row = 0

    init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
    }

    var lines: [String] { cells.map(\.text).dropLast().map { $0 } }

    mutating func write(_ text: String) {
        var rest = text[...]
        while let character = rest.popFirst() {
            switch character {
            case "\n": newline(goesOn: false)
            case "\r": break
            case "\u{1b}":
                let code = rest.prefix { !$0.isLetter }
                rest = rest.dropFirst(code.count)
                control(rest.removeFirst(), Int(code.dropFirst()) ?? 1)
            default:
                // A line is written over from its beginning.
                if isFresh { cells[row].text = "" }
                isFresh = false
                if Layout.columns(cells[row].text + String(character)) > columns { newline(goesOn: true) }
                cells[row].text.append(character)
            }
        }
    }

    /// Breaks lines anew, as most terminals do.
    mutating func resize(columns: Int) {
        let text = lines
        self = Terminal(columns: columns, rows: rows)
        for line in text { write(line + "\n") }
    }

    private var isFresh = true

    private mutating func newline(goesOn: Bool) {
        cells[row].goesOn = goesOn
        row += 1
        if row == cells.count { cells.append(("", false)) }
        isFresh = true
        if goesOn { cells[row].text = "" }
    }

    private mutating func control(_ letter: Character, _ number: Int) {
        switch letter {
        case "A":
            row = max(max(0, cells.count - rows), row - number)
            isFresh = true
        case "K": if isFresh { cells[row].text = "" }
        case "J": cells = Array(cells[...row].dropLast()) + [("", false)]
        default: break
        }
    }
}

/// Texts that match a regular expression of a CHECK, as parts of a ``TextPattern``.
///
/// Understands what such checks are made of: characters, classes, groups, alternatives of plain texts, repetitions, anchors. A
/// repetition without an end is taken a few times. What it does not understand is left to the server.
enum RegexPattern {
    /// The parts of texts that match; nil when the expression has something that is not understood.
    static func parts(of expression: String) -> [TextPattern.Part]? {
        guard expression.unicodeScalars.allSatisfy(\.isASCII) else { return nil }
        var rest = Array(expression.utf8)[...]
        // Without an anchor anything may stand there, also nothing.
        if rest.first == UInt8(ascii: "^") { rest.removeFirst() }
        if rest.last == UInt8(ascii: "$") { rest.removeLast() }
        guard let parts = sequence(&rest, inGroup: false), rest.isEmpty else { return nil }
        return parts
    }

    private static let digits = Array("0123456789".utf8)
    private static let letters = Array("abcdefghijklmnopqrstuvwxyz".utf8)
    private static let wordSigns = letters + digits

    private static func sequence(_ rest: inout ArraySlice<UInt8>, inGroup: Bool) -> [TextPattern.Part]? {
        var parts: [TextPattern.Part] = []
        var alternatives: [[TextPattern.Part]] = []
        while let byte = rest.first, !(inGroup && byte == UInt8(ascii: ")")) {
            if byte == UInt8(ascii: "|") {
                rest.removeFirst()
                alternatives.append(parts)
                parts = []
                continue
            }
            guard let atom = atom(&rest), let times = times(&rest) else { return nil }
            for _ in 0..<times { parts += atom }
        }
        guard !alternatives.isEmpty else { return parts }
        let texts = (alternatives + [parts]).map(literal)
        return texts.contains(nil) ? alternatives[0] : [.choice(texts.compactMap(\.self))]
    }

    /// The text of parts that leave no choice.
    private static func literal(_ parts: [TextPattern.Part]) -> [UInt8]? {
        var text: [UInt8] = []
        for part in parts {
            guard case .choice(let texts) = part, texts.count == 1 else { return nil }
            text += texts[0]
        }
        return text
    }

    private static func atom(_ rest: inout ArraySlice<UInt8>) -> [TextPattern.Part]? {
        guard let byte = rest.popFirst() else { return nil }
        switch byte {
        case UInt8(ascii: "("):
            if rest.starts(with: "?:".utf8) {
                rest.removeFirst(2)
            } else if rest.first == UInt8(ascii: "?") {
                return nil
            }
            guard let parts = sequence(&rest, inGroup: true), rest.popFirst() == UInt8(ascii: ")") else { return nil }
            return parts
        case UInt8(ascii: "["): return bracket(&rest).map { [choice($0)] }
        case UInt8(ascii: "."): return [choice(wordSigns)]
        case UInt8(ascii: "\\"): return rest.popFirst().flatMap(escaped).map { [choice($0)] }
        case UInt8(ascii: "^"), UInt8(ascii: "$"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"),
            UInt8(ascii: "{"), UInt8(ascii: ")"):
            return nil
        default: return [choice([byte])]
        }
    }

    private static func choice(_ bytes: [UInt8]) -> TextPattern.Part { .choice(bytes.map { [$0] }) }

    private static func escaped(_ byte: UInt8) -> [UInt8]? {
        switch byte {
        case UInt8(ascii: "d"): digits
        case UInt8(ascii: "w"): wordSigns
        case UInt8(ascii: "s"): [UInt8(ascii: " ")]
        case UInt8(ascii: "D"), UInt8(ascii: "S"): letters
        case UInt8(ascii: "W"): [UInt8(ascii: "-")]
        // Other letters and digits have a meaning of their own.
        case _ where letters.contains(byte | 32) || digits.contains(byte): nil
        default: [byte]
        }
    }

    /// What stands between brackets, without those that a terminal, a comma or a quote would mind unless nothing else is there.
    private static func bracket(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        let isNegated = rest.first == UInt8(ascii: "^")
        if isNegated { rest.removeFirst() }
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "]"), !bytes.isEmpty {
                var seen: Set<UInt8> = []
                guard isNegated else { return bytes.filter { seen.insert($0).inserted } }
                let others = wordSigns.filter { !bytes.contains($0) }
                return others.isEmpty ? nil : others
            }
            if byte == UInt8(ascii: "["), rest.first == UInt8(ascii: ":") {
                guard let named = named(&rest) else { return nil }
                bytes += named
            } else if byte == UInt8(ascii: "\\") {
                guard let next = rest.popFirst(), let class_ = escaped(next) else { return nil }
                bytes += class_
            } else if rest.first == UInt8(ascii: "-"), let end = rest.dropFirst().first, end != UInt8(ascii: "]") {
                guard end >= byte else { return nil }
                rest.removeFirst(2)
                bytes += byte...end
            } else {
                bytes.append(byte)
            }
        }
        return nil
    }

    private static func named(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        for (name, bytes) in [
            ("digit", digits), ("alpha", letters), ("alnum", wordSigns), ("lower", letters),
            ("upper", letters.map { $0 & ~32 }), ("space", [UInt8(ascii: " ")]),
            ("xdigit", digits + Array("abcdef".utf8)),
        ] where rest.starts(with: ":\(name):]".utf8) {
            rest.removeFirst(name.utf8.count + 3)
            return bytes
        }
        return nil
    }

    /// How often an atom stands there; nil when its repetition is not understood.
    private static func times(_ rest: inout ArraySlice<UInt8>) -> Int? {
        defer {
            // Whether it takes as much as it can makes no difference here.
            if rest.first == UInt8(ascii: "?") { rest.removeFirst() }
        }
        switch rest.first {
        case UInt8(ascii: "*"), UInt8(ascii: "+"):
            rest.removeFirst()
            return 6
        case UInt8(ascii: "?"):
            rest.removeFirst()
            return 1
        case UInt8(ascii: "{"):
            guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else { return nil }
            let text = String(decoding: rest[rest.startIndex + 1..<end], as: UTF8.self)
            rest = rest[(end + 1)...]
            guard let match = text.wholeMatch(of: /(\d+)(,(\d*))?/), let least = Int(match.1) else { return nil }
            let most = match.3.map { Int($0) ?? least + 6 } ?? least
            guard least <= most, most <= 1000 else { return nil }
            return max(least, min(most, 6))
        default: return 1
        }
    }
}
